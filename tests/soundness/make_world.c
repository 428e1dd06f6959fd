/* SPDX-License-Identifier: MIT */
/* The situations of tests/t_verify.c as originals: each row that needs no other judge than the default or the peer's. */
int t_verify_main(void);
#define main t_verify_main
#include "tests/t_verify.c"
#undef main
#include "tests/soundness/make.h"

void
make_world(const char *dir)
{
	struct world *w;
	void *state = NULL;

	world_up(&state);
	w = state;
	make_anchor(dir, "world", "root.signer", &w->root);
	make_anchor(dir, "world", "ca.signer", &w->ca);
	make_anchor(dir, "world", "troot.tsa", &w->troot);
	make_anchor(dir, "world", "troot2.tsa", &w->troot2);
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		if ((ROWS[i].how & ~PEER) != 0)
			continue;
		AUTO(doc) struct doc d = ROWS[i].make(w);
		AUTO(buf) struct buf text = {0};

		doc_text(&d, &text);
		make_row(dir, "world", i, ROWS[i].name, buf_slice(&text), ROWS[i].at, (ROWS[i].how & PEER) != 0 ? "dss" : "default");
	}
	world_down(&state);
}

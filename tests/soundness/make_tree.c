/* SPDX-License-Identifier: MIT */
/* The situations of tests/t_judge.c as originals. */
int t_judge_main(void);
#define main t_judge_main
#include "tests/t_judge.c"
#undef main
#include "tests/soundness/make.h"

void
make_tree(const char *dir)
{
	struct tree *w;
	void *state = NULL;

	tree_up(&state);
	w = state;
	make_anchor(dir, "tree", "root", &w->root);
	make_anchor(dir, "tree", "root2", &w->root2);
	make_anchor(dir, "tree", "oroot", &w->oroot);
	make_anchor(dir, "tree", "bare", &w->bare_root);
	make_anchor(dir, "tree", "troot.tsa", &w->troot);
	make_anchor(dir, "tree", "tsa.tsa", &w->tsa);
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		if ((ROWS[i].how & ~(unsigned)DSS) != 0)
			continue;
		AUTO(doc) struct doc d = ROWS[i].make(w);
		AUTO(buf) struct buf text = {0};

		doc_text(&d, &text);
		make_row(dir, "tree", i, ROWS[i].name, buf_slice(&text), ROWS[i].at, (ROWS[i].how & DSS) != 0 ? "dss" : "default");
	}
	tree_down(&state);
}

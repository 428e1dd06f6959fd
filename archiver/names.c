/* SPDX-License-Identifier: MIT */
/* Names of deposited files: what may stand in a record, and be given out again. */
#include "archiver/archiver_int.h"

#include <string.h>

#define NAME_MAX_OCTETS 255

static bool
utf8_valid(const char *s)
{
	json_t *j = json_string(s);
	bool ok = j != NULL;

	json_decref(j);
	return ok;
}

/* A name that may stand in a record: one path component, or a relative path inside a deposited folder. */
static enum err_code
check_file_name(const char *name, struct err *e)
{
	const char *p = NULL;

	if (name[0] == '\0' || strlen(name) > NAME_MAX_OCTETS)
		return err_set(e, ERR_REFUSED, "a file name of %zu octets; 1 to %d are accepted", strlen(name), NAME_MAX_OCTETS);
	for (p = name; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return err_set(e, ERR_REFUSED, "a file name with octet 0x%02x (control characters, newline and \\ are not accepted)",
			    (unsigned char)*p);
	if (!utf8_valid(name))
		return err_set(e, ERR_REFUSED, "a file name that is not UTF-8");
	if (!sys_stays_below(name))
		return err_set(e, ERR_REFUSED, "file name \"%s\" leads outside the deposit", name);
	return ERR_OK;
}

/* Files are given out under their names: no two alike, none where another's folder must be. */
static enum err_code
stands_alone(const struct deposit *d, size_t i, struct err *e)
{
	const char *name = d->files[i].name, *other;
	size_t k, n, len = strlen(name);

	for (k = 0; k < i; k++) {
		other = d->files[k].name;
		n = strlen(other) < len ? strlen(other) : len;
		if (strncmp(name, other, n) == 0 && (name[n] == '\0' || name[n] == '/') && (other[n] == '\0' || other[n] == '/'))
			return err_set(e, ERR_REFUSED, "file name \"%s\" stands beside \"%s\": they could not be given out together", name, other);
	}
	return ERR_OK;
}

enum err_code
deposit_name(const struct deposit *d, size_t i, struct err *e)
{
	if (check_file_name(d->files[i].name, e) != ERR_OK)
		return e->code;
	return stands_alone(d, i, e);
}

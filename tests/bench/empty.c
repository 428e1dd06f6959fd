/* SPDX-License-Identifier: MIT */
/* An empty program linked like the command: what loading its libraries costs. */
int main(void);
int
main(void)
{
	return 0;
}

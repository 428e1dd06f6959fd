/* SPDX-License-Identifier: MIT */
/* Text to value and back: durations, sizes, network rules. */
#include "policy/config_int.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400
#define DURATION_MAX ((int64_t)200 * 365 * DAY)

struct unit {
	const char *word;
	int64_t factor;
};
/* Largest first, for printing. */
static const struct unit durations[] = {{"y", 365 * DAY}, {"w", 7 * DAY}, {"d", DAY}, {"h", 3600}, {"m", 60}, {"s", 1}};
static const struct unit sizes[] = {{"TiB", 1LL << 40}, {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"", 1}};
#define UNITS(t) (sizeof(t) / sizeof((t)[0]))

/* Digits, then one of the words. Nothing may follow; the product stays below max. */
static bool
number_unit(const char *text, const struct unit *units, size_t n, int64_t max, int64_t *out)
{
	size_t digits = strspn(text, "0123456789"), i;
	int64_t v;

	if (digits == 0 || digits > 15)
		return false;
	v = strtoll(text, NULL, 10);
	for (i = 0; i < n; i++) {
		if (strcmp(text + digits, units[i].word) != 0)
			continue;
		if (v > max / units[i].factor)
			return false;
		*out = v * units[i].factor;
		return true;
	}
	return false;
}

bool
duration_parse(const char *text, int64_t *seconds)
{
	return number_unit(text, durations, UNITS(durations), DURATION_MAX, seconds);
}

bool
size_parse(const char *text, uint64_t *bytes)
{
	int64_t v;

	if (!number_unit(text, sizes, UNITS(sizes), INT64_MAX, &v))
		return false;
	*bytes = (uint64_t)v;
	return true;
}

static void
unit_text(struct buf *out, int64_t v, const struct unit *units, size_t n)
{
	size_t i;

	for (i = 0; i + 1 < n && (v == 0 || v % units[i].factor != 0); i++)
		;
	buf_addf(out, "%" PRId64 "%s", v / units[i].factor, units[i].word);
}

void
duration_text(struct buf *out, int64_t seconds)
{
	/* Weeks and years would hide what was meant by "90d". */
	unit_text(out, seconds, durations + 2, UNITS(durations) - 2);
}

void
size_text(struct buf *out, uint64_t bytes)
{
	unit_text(out, (int64_t)bytes, sizes, UNITS(sizes));
}

/* ---- allow_net ---- */

static bool
parse_port(const char *text, unsigned *out)
{
	char *end;
	unsigned long v;

	if (strcmp(text, "*") == 0) {
		*out = 0;
		return true;
	}
	v = strtoul(text, &end, 10);
	*out = (unsigned)v;
	return text[0] >= '1' && text[0] <= '9' && *end == '\0' && v <= 65535;
}

static bool
parse_prefix(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (unsigned)v;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && v <= max;
}

/* Address, or address/prefix. Bits behind the prefix must be zero: "10.1.0.0/8" is more likely a slip than meant. */
static bool
parse_network(char *text, int family, struct net_rule *out)
{
	char *slash = strchr(text, '/');
	unsigned bits = family == AF_INET ? 32 : 128, i;

	out->prefix = bits;
	if (slash != NULL) {
		*slash = '\0';
		if (!parse_prefix(slash + 1, bits, &out->prefix))
			return false;
	}
	if (inet_pton(family, text, out->addr) != 1)
		return false;
	for (i = out->prefix; i < bits; i++)
		if (out->addr[i / 8] & (0x80u >> (i % 8)))
			return false;
	return true;
}

bool
net_rule_parse(const char *text, struct net_rule *out)
{
	char copy[96], *port, *net = copy;

	*out = (struct net_rule){0};
	if (strlen(text) >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%s", text);
	port = strrchr(copy, ':');
	if (port == NULL || !parse_port(port + 1, &out->port))
		return false;
	*port = '\0';
	out->family = AF_INET;
	if (*net == '[') {
		size_t n = strlen(net);

		if (net[n - 1] != ']')
			return false;
		net[n - 1] = '\0';
		net++;
		out->family = AF_INET6;
	}
	return parse_network(net, out->family, out);
}

void
net_rule_text(struct buf *out, const struct net_rule *r)
{
	char addr[INET6_ADDRSTRLEN] = "";

	inet_ntop(r->family, r->addr, addr, sizeof(addr));
	buf_addf(out, r->family == AF_INET6 ? "[%s/%u]:" : "%s/%u:", addr, r->prefix);
	if (r->port == 0)
		buf_adds(out, "*");
	else
		buf_addf(out, "%u", r->port);
}

static bool
in_network(const uint8_t *addr, const uint8_t *net, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	if (memcmp(addr, net, whole) != 0)
		return false;
	return rest == 0 || ((addr[whole] ^ net[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

/* What is not public unicast (IANA special-purpose registries, RFC 6890), and IPv6 that carries an IPv4 address. */
static const struct {
	uint8_t net[4];
	unsigned prefix;
} closed4[] = {
    {{0, 0, 0, 0}, 8},
    {{10, 0, 0, 0}, 8},
    {{100, 64, 0, 0}, 10},
    {{127, 0, 0, 0}, 8},
    {{169, 254, 0, 0}, 16},
    {{172, 16, 0, 0}, 12},
    {{192, 0, 0, 0}, 24},
    {{192, 0, 2, 0}, 24},
    {{192, 88, 99, 0}, 24},
    {{192, 168, 0, 0}, 16},
    {{198, 18, 0, 0}, 15},
    {{198, 51, 100, 0}, 24},
    {{203, 0, 113, 0}, 24},
    {{224, 0, 0, 0}, 4},
    {{240, 0, 0, 0}, 4},
};
static const struct {
	uint8_t net[16];
	unsigned prefix;
} closed6[] = {
    {{0x20, 0x01, 0x00, 0x00}, 23}, /* protocol assignments, Teredo among them */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x20, 0x02}, 16}, /* 6to4 */
    {{0x3f, 0xff}, 20}, /* documentation, RFC 9637 */
};

static bool
public4(const uint8_t *addr)
{
	size_t i;

	for (i = 0; i < sizeof(closed4) / sizeof(closed4[0]); i++)
		if (in_network(addr, closed4[i].net, closed4[i].prefix))
			return false;
	return true;
}

/* Global unicast is 2000::/3; loopback, mapped, NAT64, ULA, link-local and multicast all lie outside it. */
static bool
public6(const uint8_t *addr)
{
	size_t i;

	if ((addr[0] & 0xe0) != 0x20)
		return false;
	for (i = 0; i < sizeof(closed6) / sizeof(closed6[0]); i++)
		if (in_network(addr, closed6[i].net, closed6[i].prefix))
			return false;
	return true;
}

bool
net_allowed(const struct config *c, const struct sockaddr *sa, unsigned port)
{
	const struct conf_net *n = &c->net;
	uint8_t addr[16] = {0};
	size_t i;

	if (sa->sa_family == AF_INET)
		memcpy(addr, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else if (sa->sa_family == AF_INET6)
		memcpy(addr, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	else
		return false;
	for (i = 0; i < n->n_allow; i++)
		if (n->allow[i].family == sa->sa_family && (n->allow[i].port == 0 || n->allow[i].port == port) &&
		    in_network(addr, n->allow[i].addr, n->allow[i].prefix))
			return true;
	if (port != 80 && port != 443)
		return false;
	return sa->sa_family == AF_INET ? public4(addr) : public6(addr);
}

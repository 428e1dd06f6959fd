#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Octets that a XAdES time-stamp covers (EN 319 132-1 5.3, 5.5, annex A), by a second, short implementation.

    imprint.py SIGNATURE.xml                        list every time-stamp with its imprint
    imprint.py SIGNATURE.xml --stamp N              the N-th of that list, counted from 1
        --dir FILES   folder with detached files        -o FILE   write the octets that are hashed

Prints "N TYPE ALG:HEX ok|WRONG ID", ends with 1 if an imprint is wrong. It shares nothing with Everseal: lxml parses,
canonicalisation is done below. It tells what is covered; whether a token is genuine is for `openssl ts -verify`.
"""
import argparse, base64, hashlib, os, re, sys
from urllib.parse import unquote
from lxml import etree

DS, X132, X141 = ("http://www.w3.org/2000/09/xmldsig#", "http://uri.etsi.org/01903/v1.3.2#", "http://uri.etsi.org/01903/v1.4.1#")
XML = "http://www.w3.org/XML/1998/namespace"
REC = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXC, C11 = "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2006/12/xml-c14n11"
ENVELOPED, BASE64 = DS + "enveloped-signature", DS + "base64"
XPATH, FILTER2 = "http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/2002/06/xmldsig-filter2"
OIDS = {"1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384",
        "2.16.840.1.101.3.4.2.3": "sha512", "2.16.840.1.101.3.4.2.4": "sha224", "2.16.840.1.101.3.4.2.7": "sha3_224",
        "2.16.840.1.101.3.4.2.8": "sha3_256", "2.16.840.1.101.3.4.2.9": "sha3_384",
        "2.16.840.1.101.3.4.2.10": "sha3_512", "1.3.36.3.2.1": "ripemd160", "1.2.840.113549.2.5": "md5"}
TYPES = {(X132, "SignatureTimeStamp"): "SIGNATURE", (X132, "SigAndRefsTimeStamp"): "VALIDATION_DATA",
         (X141, "SigAndRefsTimeStampV2"): "VALIDATION_DATA", (X132, "RefsOnlyTimeStamp"): "REFSONLY",
         (X141, "RefsOnlyTimeStampV2"): "REFSONLY", (X132, "ArchiveTimeStamp"): "ARCHIVE",
         (X141, "ArchiveTimeStamp"): "ARCHIVE", (X132, "AllDataObjectsTimeStamp"): "ALL_DATA",
         (X132, "IndividualDataObjectsTimeStamp"): "INDIVIDUAL_DATA"}


def name(node):
    return (etree.QName(node).namespace or "", etree.QName(node).localname) if isinstance(node.tag, str) else ("", "")


# ---- canonical XML: 1.0, 1.1, exclusive; of a node-set where hide(element) takes elements out ----

def escape(text, attribute):
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#xD;")
    if attribute:
        return text.replace('"', "&quot;").replace("\t", "&#x9;").replace("\n", "&#xA;")
    return text.replace(">", "&gt;")


def attributes(el):
    """(namespace, local, qualified name, value), sorted as canonical XML wants it."""
    out = []
    for i, (key, value) in enumerate(el.attrib.items()):
        q = etree.QName(key)
        full = el.xpath("name(@*[%d])" % (i + 1)) if q.namespace else q.localname
        out.append((q.namespace or "", q.localname, full, value))
    return sorted(out)


class Canon:
    def __init__(self, method, prefixes=(), hide=lambda el: False, comments=None):
        self.comments = method.endswith("WithComments") if comments is None else comments
        method = method.replace("WithComments", "")
        self.exclusive, self.eleven = method == EXC, method.startswith(C11)
        if not (self.exclusive or self.eleven or method.rstrip("#") == REC):
            raise ValueError("canonicalisation " + method)
        self.prefixes, self.hide, self.out = set(prefixes), hide, []

    def run(self, node):
        if isinstance(node, etree._ElementTree):
            return self.document(node.getroot())
        self.node(node, {}, True)
        return "".join(self.out).encode()

    def document(self, root):
        before, after = list(root.itersiblings(preceding=True))[::-1], list(root.itersiblings())
        for part, where in [(before, 0), ([root], 1), (after, 2)]:
            for node in part:
                if isinstance(node, etree._Comment) and not self.comments:
                    continue
                if where == 2:
                    self.out.append("\n")
                self.node(node, {}, where == 1)
                if where == 0:
                    self.out.append("\n")
        return "".join(self.out).encode()

    def node(self, node, shown, apex=False):
        if isinstance(node, etree._Comment):
            if self.comments:
                self.out.append("<!--%s-->" % node.text)
        elif isinstance(node, etree._ProcessingInstruction):
            self.out.append("<?%s%s?>" % (node.target, " " + node.text if node.text else ""))
        elif isinstance(node, etree._Entity):
            raise ValueError("entity")
        else:
            self.element(node, shown, apex)

    def element(self, el, shown, apex):
        visible = not self.hide(el)
        if visible:
            shown = self.open(el, shown, apex)
            self.out.append(escape(el.text or "", False))
        for child in el:
            if visible or isinstance(child.tag, str):  # comments and PIs go with their element
                self.node(child, shown, apex and not visible)
            if visible:
                self.out.append(escape(child.tail or "", False))
        if visible:
            self.out.append("</%s>" % self.tag(el))

    @staticmethod
    def tag(el):
        return (el.prefix + ":" if el.prefix else "") + etree.QName(el).localname

    def open(self, el, shown, apex):
        attrs = attributes(el)
        scope = {p or "": u or "" for p, u in el.nsmap.items() if p != "xml"}
        scope.setdefault("", "")
        if self.exclusive:
            used = {el.prefix or ""} | {a[2].split(":")[0] for a in attrs if a[0]} - {"xml"}
            used |= {p for p in scope if (p or "#default") in self.prefixes}
        else:
            used = set(scope)
        new = {p: scope[p] for p in used if scope[p] != shown.get(p, "")}
        if not self.exclusive and (apex or self.hide(el.getparent())):
            attrs = self.inherited(el, attrs)
        self.out.append("<" + self.tag(el))
        for p in sorted(new):
            self.out.append(' xmlns%s="%s"' % (":" + p if p else "", escape(new[p], True)))
        for _, _, full, value in attrs:
            self.out.append(' %s="%s"' % (full, escape(value, True)))
        self.out.append(">")
        return {**shown, **new}

    def inherited(self, el, attrs):
        """xml: attributes of ancestors that are not in the output."""
        have, found = {a[1] for a in attrs if a[0] == XML}, []
        for up in el.iterancestors():
            if not self.hide(up) and up.get("{%s}hidden" % XML) is None and self.inside(up):
                break
            for ns, local, full, value in attributes(up):
                if ns == XML and local not in have and not (self.eleven and local in ("id", "base")):
                    have.add(local)
                    found.append((ns, local, full, value))
        return sorted(attrs + found)

    def inside(self, el):
        return False


# ---- references ----

class Doc:
    def __init__(self, path, folder):
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, strip_cdata=False)
        self.tree, self.path = etree.parse(path, parser), path
        self.folder = folder or os.path.dirname(os.path.abspath(path))
        self.given = folder is not None

    def by_id(self, value):
        hits = [e for e in self.tree.getroot().iter(etree.Element)
                if value in (e.get("Id"), e.get("ID"), e.get("id"), e.get("{%s}id" % XML))]
        if len(hits) != 1:
            raise ValueError("%d elements with Id %s" % (len(hits), value))
        return hits[0]

    def file(self, ref):
        """By name, else the only one, else by digest."""
        uri = unquote(ref.get("URI") or "")
        names = [n for n in sorted(os.listdir(self.folder)) if os.path.isfile(os.path.join(self.folder, n))
                 and not os.path.samefile(os.path.join(self.folder, n), self.path)]
        read = lambda n: open(os.path.join(self.folder, n), "rb").read()
        for n in (uri, os.path.basename(uri)):
            if n in names:
                return read(n)
        if len(names) == 1 and self.given:
            return read(names[0])
        alg = ref.find("{%s}DigestMethod" % DS).get("Algorithm").rpartition("#")[2].replace("-", "_")
        want = base64.b64decode("".join(ref.find("{%s}DigestValue" % DS).itertext()))
        for n in names:
            if hashlib.new(alg, read(n)).digest() == want:
                return read(n)
        raise ValueError("no file for %r in %s" % (uri, self.folder))

    def reference(self, ref, method, prefixes):
        """Its octets; a node-set is canonicalised by the time-stamp's method (xades.md 4, P(ref))."""
        uri, hidden, keep = ref.get("URI"), set(), None
        comments = None
        if uri is None or (uri and not uri.startswith("#")):
            value = self.file(ref)
        elif uri in ("", "#xpointer(/)"):
            value, comments = self.tree, None if uri else False
        else:
            m = re.fullmatch(r"#xpointer\(id\(['\"](.*)['\"]\)\)", uri)
            value, comments = self.by_id(m.group(1) if m else unquote(uri[1:])), None if m else False
        for t in ref.iterfind("{%s}Transforms/{%s}Transform" % (DS, DS)):
            alg = t.get("Algorithm")
            if isinstance(value, bytes) and alg != BASE64:
                value = etree.ElementTree(etree.fromstring(value, etree.XMLParser(resolve_entities=False, no_network=True)))
            if alg == ENVELOPED:
                hidden |= set(next(a for a in ref.iterancestors() if name(a) == (DS, "Signature")).iter())
            elif alg == XPATH:
                hidden |= self.filtered(value, t)
            elif alg == FILTER2:
                hidden |= self.filter2(value, t)
            elif alg == BASE64:
                text = value if isinstance(value, bytes) else "".join(
                    (value.getroot() if isinstance(value, etree._ElementTree) else value).itertext(etree.Element)).encode()
                value = base64.b64decode(re.sub(rb"\s", b"", text))
            else:
                value = self.canon(value, alg, inclusive(t), hidden, comments)
                hidden = set()
        if isinstance(value, bytes):
            return value
        return self.canon(value, method, prefixes, hidden, comments)

    @staticmethod
    def canon(value, method, prefixes, hidden, comments):
        drop = False if comments is False else None
        return Canon(method, prefixes, hidden.__contains__, drop).run(value)

    @staticmethod
    def elements(value):
        return list((value.getroot() if isinstance(value, etree._ElementTree) else value).iter(etree.Element))

    def filtered(self, value, transform):
        """XPath 1.0 transform. Text goes with its element: right for the forms that signatures use."""
        xp = transform.find("{%s}XPath" % DS)
        if re.search(r"here\(|self::(text|comment|node)\(", xp.text):
            raise ValueError("XPath transform " + xp.text)
        test = etree.XPath("boolean(%s)" % xp.text, namespaces={p: u for p, u in xp.nsmap.items() if p})
        return {e for e in self.elements(value) if not test(e)}

    def filter2(self, value, transform):
        every, kept = set(self.elements(value)), None
        kept = set(every)
        for xp in transform.iterfind("{%s}XPath" % FILTER2):
            found = value.xpath(xp.text, namespaces={p: u for p, u in xp.nsmap.items() if p})
            sub = {d for e in found for d in (e.getroot() if isinstance(e, etree._ElementTree) else e).iter(etree.Element)}
            kept = {"intersect": kept & sub, "subtract": kept - sub, "union": kept | (sub & every)}[xp.get("Filter")]
        return every - kept


def inclusive(el):
    p = el.find("{%s}InclusiveNamespaces" % EXC)
    return p.get("PrefixList", "").split() if p is not None else []


# ---- what each kind of time-stamp covers ----

REFS = {"1": [(X132, "CompleteCertificateRefs"), (X132, "CompleteRevocationRefs"), (X132, "AttributeCertificateRefs"),
              (X132, "AttributeRevocationRefs")],
        "2": [(X141, "CompleteCertificateRefsV2"), (X132, "CompleteRevocationRefs"), (X141, "AttributeCertificateRefsV2"),
              (X132, "AttributeRevocationRefs")]}


def octets(doc, stamp):
    sig = next(a for a in stamp.iterancestors() if name(a) == (DS, "Signature"))
    child = lambda local: [c for c in sig if name(c) == (DS, local)]
    info, value, kind = child("SignedInfo")[0], child("SignatureValue")[0], TYPES[name(stamp)]
    refs = [r for r in info if name(r) == (DS, "Reference")]
    m = stamp.find("{%s}CanonicalizationMethod" % DS)
    method = (m.get("Algorithm") if m is not None else "") or REC
    prefixes = inclusive(m) if m is not None else []
    c14n = lambda el: Canon(method, prefixes).run(el)
    p = lambda ref: doc.reference(ref, method, prefixes)
    before = [e for e in stamp.itersiblings(preceding=True) if isinstance(e.tag, str)][::-1]
    if stamp.find("{%s}Include" % X132) is not None and kind != "INDIVIDUAL_DATA":
        raise ValueError("Include")
    if kind == "ALL_DATA":
        return b"".join(p(r) for r in refs if not (r.get("Type") or "").endswith("#SignedProperties"))
    if kind == "INDIVIDUAL_DATA":
        return b"".join(p(doc.by_id(i.get("URI")[1:])) for i in stamp.iterfind("{%s}Include" % X132))
    if kind == "SIGNATURE":
        return c14n(value)
    if kind in ("VALIDATION_DATA", "REFSONLY"):
        wanted = REFS["2" if name(stamp)[1].endswith("V2") else "1"]
        first = b""
        if kind == "VALIDATION_DATA":
            wanted, first = wanted + [(X132, "SignatureTimeStamp")], c14n(value)
        return first + b"".join(c14n(e) for e in before if name(e) in wanted)
    out = [p(r) for r in refs] + [c14n(e) for e in [info, value] + child("KeyInfo")] + [c14n(e) for e in before]
    signed = {(r.get("URI") or "")[1:] for r in refs if (r.get("URI") or "").startswith("#")}
    for o in child("Object"):
        if any(name(c)[1] == "QualifyingProperties" for c in o):
            continue
        # The old namespace's stamp leaves out objects that a reference covers already.
        if name(stamp)[0] == X141 or not o.get("Id") or o.get("Id") not in signed:
            out.append(c14n(o))
    return b"".join(out)


# ---- the token's own imprint ----

def tlv(b, i):
    """BER: tag, content, position behind; indefinite lengths and constructed strings joined."""
    tag, n, i = b[i], b[i + 1], i + 2
    if n == 0x80:
        start = i
        while b[i:i + 2] != b"\0\0":
            i = tlv(b, i)[2]
        return tag, b[start:i], i + 2
    if n > 0x80:
        k, n = n & 0x7F, int.from_bytes(b[i:i + (n & 0x7F)], "big")
        i += k
    return tag, b[i:i + n], i + n


def parts(b):
    out, i = [], 0
    while i < len(b):
        tag, body, i = tlv(b, i)
        out.append((tag, body))
    return out


def joined(tag, body):
    return b"".join(joined(*p) for p in parts(body)) if tag & 0x20 else body


def oid(b):
    v, arcs = 0, []
    for c in b:
        v = v << 7 | c & 0x7F
        if c < 0x80:
            arcs.append(v)
            v = 0
    return ".".join(map(str, [min(arcs[0] // 40, 2), arcs[0] - 40 * min(arcs[0] // 40, 2)] + arcs[1:]))


def token_imprint(token):
    body = parts(tlv(token, 0)[1])
    if body[0][0] != 6:  # a whole TimeStampResp stands there
        body = parts(body[1][1])
    content = parts(parts(body[1][1])[0][1])[2][1]
    tst = joined(*parts(parts(content)[1][1])[0])
    alg, value = parts(parts(tlv(tst, 0)[1])[2][1])
    return OIDS.get(oid(parts(alg[1])[0][1])), value[1]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("file")
    ap.add_argument("--stamp", type=int)
    ap.add_argument("--dir")
    ap.add_argument("-o", dest="out")
    a = ap.parse_args()
    doc, bad = Doc(a.file, a.dir), False
    stamps = [e for e in doc.tree.getroot().iter(etree.Element) if name(e) in TYPES]
    if a.stamp is not None and not 1 <= a.stamp <= len(stamps):
        sys.exit("there are %d time-stamps" % len(stamps))
    for n, stamp in enumerate(stamps, 1):
        if a.stamp not in (None, n):
            continue
        try:
            alg, want = token_imprint(base64.b64decode("".join(stamp.find("{%s}EncapsulatedTimeStamp" % X132).itertext())))
            data = octets(doc, stamp)
        except Exception as e:
            print("%d %s cannot: %s %s" % (n, TYPES[name(stamp)], e, stamp.get("Id", "-")))
            bad = True
            continue
        got = hashlib.new(alg, data).digest()
        print("%d %s %s:%s %s %s" % (n, TYPES[name(stamp)], alg, got.hex(), "ok" if got == want else "WRONG", stamp.get("Id", "-")))
        bad |= got != want
        if a.out:
            open(a.out, "wb").write(data)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

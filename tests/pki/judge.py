#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Second opinion on documents of testpki, for what xmlsec1 1.2 does not know:
signature values over PSS, Ed25519 and SHA-3, every signature of a file, and the
imprints of its stamps. Exclusive canonical form only, references by Id or to a file.

    judge.py FILE...        exit 0 when every value and imprint holds
"""
import base64
import os
import subprocess
import sys
import tempfile
import urllib.parse

from lxml import etree

DS = "{http://www.w3.org/2000/09/xmldsig#}"
X141 = "{http://uri.etsi.org/01903/v1.4.1#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"


def run(*words):
    return subprocess.run(words, capture_output=True, check=False)


def c14n(element):
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)


def file_of(folder, name, octets):
    path = folder + "/" + name
    with open(path, "wb") as f:
        f.write(octets)
    return path


def integer(octets):
    body = octets.lstrip(b"\0") or b"\0"
    if body[0] & 0x80:
        body = b"\0" + body
    return b"\x02" + bytes([len(body)]) + body


def sequence(value):
    """r and s side by side -> the SEQUENCE that openssl reads"""
    half = len(value) // 2
    body = integer(value[:half]) + integer(value[half:])
    return b"\x30" + (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])) + body


def value_holds(signature, folder):
    method = signature.find(DS + "SignedInfo/" + DS + "SignatureMethod").get("Algorithm")
    value = base64.b64decode(signature.find(DS + "SignatureValue").text)
    cert = base64.b64decode(signature.find(".//" + DS + "X509Certificate").text)
    octets = file_of(folder, "octets", c14n(signature.find(DS + "SignedInfo")))
    crt = file_of(folder, "crt", cert)
    key = file_of(folder, "key", run("openssl", "x509", "-inform", "DER", "-in", crt, "-noout", "-pubkey").stdout)
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-in", octets]
    if "eddsa" in method:
        return run(*words, "-rawin", "-sigfile", file_of(folder, "sig", value)).returncode == 0
    digest = next(d for d in ("sha3-256", "sha3-384", "sha3-512", "sha256", "sha384", "sha512") if d in method)
    if "ecdsa" in method:
        value = sequence(value)
    words += ["-rawin", "-digest", digest, "-sigfile", file_of(folder, "sig", value)]
    if "MGF1" in method:
        words += ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]
    return run(*words).returncode == 0


def covered_by_archive(signature, stamp, place):
    """EN 319 132-1 5.5.2"""
    out = b""
    for ref in signature.iterfind(DS + "SignedInfo/" + DS + "Reference"):
        uri = ref.get("URI")
        if uri.startswith("#"):
            out += c14n(signature.getroottree().xpath("//*[@Id=$id]", id=uri[1:])[0])
        elif uri:
            with open(os.path.join(place, urllib.parse.unquote(uri)), "rb") as f:
                out += f.read()
        else:
            raise ValueError("reference to the whole document")
    for part in ("SignedInfo", "SignatureValue", "KeyInfo"):
        out += c14n(signature.find(DS + part))
    for before in stamp.getparent():
        if before is stamp:
            break
        out += c14n(before)
    for thing in signature.iterfind(DS + "Object"):
        if thing.find(XADES + "QualifyingProperties") is None:
            out += c14n(thing)
    return out


def stamp_holds(signature, stamp, folder, place):
    token = base64.b64decode(stamp.find(XADES + "EncapsulatedTimeStamp").text)
    path = file_of(folder, "token", token)
    if stamp.tag == X141 + "ArchiveTimeStamp":
        covered = covered_by_archive(signature, stamp, place)
    else:
        covered = c14n(signature.find(DS + "SignatureValue"))
    octets = file_of(folder, "octets", covered)
    text = run("openssl", "ts", "-reply", "-token_in", "-in", path, "-token_out", "-text").stdout.decode()
    dump = "".join(line.split(" - ")[1][:48] for line in text.splitlines() if " - " in line)
    wanted = run("openssl", "dgst", "-sha256", "-r", octets).stdout.decode().split()[0]
    return dump.replace("-", "").replace(" ", "") == wanted


def main():
    bad = 0
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            signatures = list(etree.parse(name).iter(DS + "Signature"))
            good = bool(signatures) and all(value_holds(s, folder) for s in signatures)
            for s in signatures:
                for t in s.iterfind(DS + "Object/" + XADES + "QualifyingProperties/" + XADES + "UnsignedProperties/"
                                    + XADES + "UnsignedSignatureProperties/*"):
                    if t.tag in (XADES + "SignatureTimeStamp", X141 + "ArchiveTimeStamp"):
                        good = good and stamp_holds(s, t, folder, os.path.dirname(name))
        print(name, len(signatures), "good" if good else "BAD")
        bad += not good
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Seeds whose octets have to be counted: frames, requests, material, group bodies, proofs, deposits, HTTP. From what seeds.sh left in DIR."""
import hashlib
import json
import os
import struct
import sys

DIR = sys.argv[1]


def put(name, octets):
    path = os.path.join(DIR, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(octets)


def kit(name):
    with open(os.path.join(DIR, 'kit', name), 'rb') as f:
        return f.read()


def files(folder):
    for name in sorted(os.listdir(os.path.join(DIR, folder))):
        with open(os.path.join(DIR, folder, name), 'rb') as f:
            yield name, f.read()


def vec(octets):
    return struct.pack('>I', len(octets)) + octets


def frame(kind, body):
    return struct.pack('>II', kind, len(body)) + body


def request(kind, head, *parts):
    return bytes([kind]) + vec(json.dumps(head).encode()) + b''.join(vec(p) for p in parts)


def material(*rows):
    return struct.pack('>I', len(rows)) + b''.join(bytes([k]) + vec(o) for k, o in rows)


# frames, as both ends send them
put('frame/reply', frame(7, b'{}'))
put('frame/error', frame(0xffffffff, struct.pack('>I', 6) + b'not what it claims to be'))
put('frame/ready', frame(0xfffffffe, bytes([0, 1, 1, 1]) + struct.pack('>I', 3)))
put('frame/two', frame(7, b'a') + frame(7, b'b'))

# material: certificates 1, lists 2, responses 3
for kind, folder in ((1, 'cert'), (2, 'crl'), (3, 'ocsp')):
    for name, octets in list(files(folder))[:2]:
        put('material/%s-%s' % (folder, name[:8]), material((kind, octets)))
some = material((1, kit('ca.der')), (1, kit('tsa.der')))
put('material/two', some)

# requests to the cage
document = {'name': 'document.xml', 'side': [], 'time': 1780000000, 'grace': 86400}
put('request/judge', request(1, document, some, bytes(32)))
beside = dict(document, side=[{'name': 'data', 'own': False, 'base': 0, 'size': 6}])
put('request/beside', request(1, beside, b'', bytes(32)))
put('request/inventory', request(6, document, some))
put('request/octets', request(7, dict(document, signature=0, stamp=0), b''))
for what in ({'imprint': 'A', 'add': []}, {'imprint': None, 'add': [{'do': 'tsvd', 'objects': []}]}, {'imprint': 'X', 'add': [{'do': 'refs', 'objects': []}]}):
    put('request/extend-%s' % what['imprint'], request(5, dict(document, request=dict(what, signature=0, digest='SHA512')), some))

ours = [hashlib.sha256(kit(n)).hexdigest() for n in ('ca.der', 'tsa.der')]
for what in ('refs', 'values', 'tsvd', 'anyvd'):
    add = [{'do': what, 'objects': ours}]
    put('request/extend-%s' % what, request(5, dict(document, request={'signature': 0, 'digest': 'SHA256', 'add': add, 'imprint': 'A'}), some))
    put('request/extended-%s' % what, request(5, dict(document, request={'signature': 0, 'digest': 'SHA256', 'add': add}), some))

# what a service answers: 0 OCSP, 1 list, 2 issuer
for kind, folder in ((0, 'ocsp'), (1, 'crl'), (2, 'cert')):
    for name, octets in files(folder):
        put('answer/%s-%s' % (folder, name[:8]), bytes([kind]) + octets)
for name, octets in files('anchors'):
    put('answer/%s' % name, b'\2' + octets)

# groups without their closing digest
for name, octets in list(files('group')):
    if name.startswith('whole-'):
        put('group/body-%s' % name[6:], octets[len('{"body":'):-len(',"sha256":""}\n') - 64])

# the last group of kit/store, as it is and changed by one thing
log = max(n for n in os.listdir(os.path.join(DIR, 'kit/store/segments')) if n.startswith('log-'))
text = kit('store/segments/' + log)
text = text[text.rindex(b'{"body":'):]
text = text[:text.index(b'\n') + 1]
body = text[len('{"body":'):-len(',"sha256":""}\n') - 64]
put('store/whole', body)
for name, change in (('size', lambda g: g['members'][0].update(size=1 << 40)), ('offset', lambda g: g['members'][0].update(offset=1)),
                     ('born', lambda g: g['born'].append({'alone': False, 'born': 0, 'segment': 'data-2099-00000099.tar'})),
                     ('sealed', lambda g: g['sealed'].append(log)), ('leaf', lambda g: g['leaves'].append('01' + '00' * 60)),
                     ('root', lambda g: g.update(root='0' * 64)), ('row', lambda g: g['rows'].append(['state', 't:x', None]))):
    changed = json.loads(body)
    change(changed)
    put('store/' + name, json.dumps(changed, separators=(',', ':'), sort_keys=True).encode())

# a member of 8 GiB: the size in a pax header before it
def tar_head(name, size, kind):
    h = bytearray(512)
    for at, text in ((0, name), (100, b'0000444\0'), (108, b'0000000\0'), (116, b'0000000\0'), (124, b'%011o\0' % size), (136, b'00000000000\0'),
                     (148, b' ' * 8), (156, kind), (257, b'ustar\00000'), (329, b'0000000\0'), (337, b'0000000\0')):
        h[at:at + len(text)] = text
    h[148:156] = b'%06o\0 ' % sum(h)
    return bytes(h)


record = b'19 size=8589934592\n'
put('tar/pax', tar_head(b'pax_header', len(record), b'x') + record.ljust(512, b'\0') + tar_head(b'objects/sha256/' + b'0' * 64, 0, b'0'))

# the log
receipt = json.loads(kit('receipt.json'))
log = receipt['log']
path = b''.join(bytes.fromhex(h) for h in log['path'])
put('proof/receipt', bytes.fromhex(log['leaf']) + struct.pack('>QQ', log['index'], log['size']) + path)

# facts of a class: a row of the index
for n, (_, octets) in enumerate(files('group')):
    text = octets.decode(errors='replace')
    at = text.find('["class",')
    if at >= 0:
        row, _ = json.JSONDecoder().raw_decode(text[at:])
        put('class/%d' % n, row[2][2:].encode())

# a catalogue with a little of everything
CATALOGUE = '''<SecuritySuitabilityPolicy xmlns="urn:ietf:params:xml:ns:dssc" xmlns:e="http://uri.etsi.org/19322/v1.1.1#" version="1" lang="en">
<PolicyName><Name>House</Name><ObjectIdentifier>1.2.3</ObjectIdentifier></PolicyName><Publisher><Name>Archive</Name></Publisher>
<PolicyIssueDate>2026-01-01T00:00:00Z</PolicyIssueDate><NextUpdate>2027-01-01T00:00:00Z</NextUpdate>
<Algorithm><AlgorithmIdentifier><Name>SHA256</Name><ObjectIdentifier>2.16.840.1.101.3.4.2.1</ObjectIdentifier>
<URI>http://www.w3.org/2001/04/xmlenc#sha256</URI></AlgorithmIdentifier><Evaluation><Validity><End>2029-01-01Z</End></Validity></Evaluation></Algorithm>
<Algorithm><AlgorithmIdentifier><Name>RSA</Name><ObjectIdentifier>1.2.840.113549.1.1.1</ObjectIdentifier></AlgorithmIdentifier>
<Evaluation><Parameter name="moduluslength"><Min>1900</Min><Max>4096</Max></Parameter><Validity><Start>2020-01-01</Start><End>2028-12-31</End></Validity>
<e:MoreDetails><e:AlgorithmUsage>http://uri.etsi.org/19322/sign_timestamps</e:AlgorithmUsage><e:Recommendation>L</e:Recommendation></e:MoreDetails>
</Evaluation><Evaluation><Parameter name="moduluslength"><Min>3000</Min></Parameter><Validity/></Evaluation>
<Information><Text>a reason</Text></Information></Algorithm></SecuritySuitabilityPolicy>
'''
put('catalogue/house', CATALOGUE.encode())

# deposits: name, meta file
put('deposit/plain', b'deed.txt')
put('deposit/meta', b'deed.txt\n' + json.dumps({'profile': 'other', 'id': 'own/1', 'retention_years': 12, 'title': 'A deed', 'media_type': 'text/plain', 'comment': 'c'}).encode())
put('deposit/digest', b'deed.txt\n' + json.dumps({'sha256': 'ad8fb7c4db1a6ad7c7fdc7b0c9d6cbb5ab6c9b1d1d4e5c1e52f1ccf5e75b6a2f'}).encode())

# the control socket
for verb in ({'verb': 'run'}, {'verb': 'sweep'}, {'verb': 'hold', 'record': '019b76da-a800-7078-a04a-5a57f71eba9b', 'on': True, 'reason': 'r'},
             {'verb': 'release', 'what': '019b76da'}, {'verb': 'deposit', 'names': ['a'], 'meta': {}, 'profile': 'other'}):
    put('control/%s' % verb['verb'], vec(json.dumps(verb).encode()))

# bundles: which file, its content
for n, name in enumerate(('SHA256SUMS', 'proofs.json', 'receipt.json', 'checkpoint', 'log.pub', 'index.json', kit('newest-manifest').decode())):
    with open(os.path.join(DIR, 'kit', 'bundle', name), 'rb') as f:
        put('bundle/%d' % n, bytes([n]) + f.read())

put('bundle/not-utf8', b'\0' + b'0' * 64 + b'  files/\xff\n')

# what children say: which record and step, their answers in a row
said = [kit('answers-%d' % n) for n in range(6)]
for n in range(4):
    put('lies/%d' % n, bytes([n]) + said[n + 1])
renewal = said[5] + said[4] + said[3]
put('lies/renew', b'\x83' + renewal)


def with_judge(answers, change):
    """The judge's answers (kind 1) changed."""
    out = b''
    while answers:
        n, = struct.unpack('>I', answers[1:5])
        octets = answers[5:5 + n]
        if answers[0] == 1:
            judged = json.loads(octets)
            change(judged)
            octets = json.dumps(judged).encode()
        out += answers[:1] + vec(octets)
        answers = answers[5 + n:]
    return out


def no_digests(judged):
    for s in judged['signatures']:
        s['embedded'] = [7, None]


put('lies/no-digests', b'\x83' + with_judge(renewal, no_digests))

# HTTP: the address, then what comes back
URL = b'http://host.example/path?q\n'
put('http/ok', URL + b'HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: 5\r\n\r\nhello')
put('http/chunked', URL + b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')
put('http/redirect', URL + b'HTTP/1.1 302 Found\r\nLocation: http://user:word@other.example:81/x\r\nContent-Length: 0\r\n\r\n')
put('http/relative', URL + b'HTTP/1.1 301 Moved\r\nLocation: ../y\r\nContent-Length: 0\r\n\r\n')
put('http/later', URL + b'HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n')
put('http/gzip', URL + b'HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/html\r\n\r\n\x1f\x8b')
put('http/scheme', b'file:///etc/passwd\nHTTP/1.1 200 OK\r\n\r\n')
put('http/tls', b'https://host.example/\nHTTP/1.1 200 OK\r\n\r\n')

# the net process's answer: class, status, seconds, why, address, type, body
put('fetch/ok', bytes([0]) + struct.pack('>Iq', 200, -1) + vec(b'') + vec(b'127.0.0.1:80') + vec(b'text/plain') + vec(b'hello'))

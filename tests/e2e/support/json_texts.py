"""Texts that RFC 8259 forbids and texts that it allows, in the categories of the public JSON
parsing suites: values for a param or for a member of the envelope.

None has a line end, so that each is one message in every framing.
"""

from itertools import chain

ARRAYS = (b"[1 true]", b"[1:2]", b"[1,,2]", b"[,1]", b"[1,]", b"[,]", b"[1", b"[1,", b"[", b"]",
          b"[[1]", b"[1]]", b"[1];", b'["a"', b'["a":1]', b"[x", b"[-]", b"[*]", b"[a]", b"[1}")
OBJECTS = (b'{"a"}', b'{"a",1}', b'{"a" 1}', b'{"a"::1}', b'{"a":}', b'{"a":1,}', b'{"a":1,,"b":2}',
           b'{,"a":1}', b'{:1}', b"{1:1}", b"{a:1}", b"{'a':1}", b"{[1]:1}", b"{null:1}", b'{"a":1',
           b'{"a":1 "b":2}', b'{"a":"b"}}', b'{"a":1]', b'{"a":/*c*/1}', b'{"a":1}//', b"{}#")
NUMBERS = (b"-", b"--1", b"+1", b"++1", b"01", b"-01", b"00", b"1.", b"-1.", b".5", b"-.5", b"1.e1",
           b"0.e1", b"1e", b"1e+", b"1E-", b"1e1.5", b"1eE2", b"0x10", b"0b1", b"0o7", b"1_000",
           b"1,000.5", b"1 000", b"2.-3", b"1a", b"1.2a", b"1/2", b"1+2", b"NaN", b"-NaN", b"nan",
           b"Infinity", b"-Infinity", b"inf", b"\xef\xbc\x91", b"1\xe5", b"0e", b"0E+", b"1e\xe5")
STRINGS = (b'"', b'"a', b'"\\"', b"'a'", b"`a`", b"a", b"\\n", b'"\\', b'"\\a"', b'"\\x00"',
           b'"\\u"', b'"\\u1"', b'"\\u12"', b'"\\u123"', b'"\\u123g"', b'"\\U0041"',
           b'"\\ud83d\\u"',
           b'"\\ud800\\"', b'"\\ "', b'"\\0"', b'"\\\t"', b'"\\\x00"', b'"\t"', b'"\x00"',
           b'"\x1f"',
           b'"a"b', b'"a""b"', "“a”".encode(), "é".encode())  # fmt: skip
ENCODINGS = (b'"\xff"', b'"\x80"', b'"\xc0\xaf"', b'"\xc1\xbf"', b'"\xc3"', b'"\xe0\x80\xaf"',
             b'"\xe2\x82"', b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"', b'"\xf0\x80\x80\xaf"',
             b'"\xf0\x9f\x98"', b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"', b'"\\\xff"',
             b'"\\u00\xe5"', b"[\xff]", b"\xe5", b'{"\xff":1}', b'"\xfe\xff"')  # fmt: skip
STRUCTURES = (b"", b"True", b"TRUE", b"tru", b"truth", b"nul", b"Null", b"fals", b"undefined",
              b"<null>", b"[<null>]", b"(1)", b"1;", b"[1]x", b"\x00", b"[\x0c]", b"[\x0b1]",
              b"1\x00",
              b"\xe2\x81\xa0", b"\xef\xbb\xbf1", b"\xc2\xa01", b"[\\u000A1]", b"@", b"{}}", b"[}",
              b"{]", b"[\"\\u0041\":]", b"1 2", b"[] []", b"{} null", b"*", b"$")  # fmt: skip

REFUSED = tuple(chain(ARRAYS, OBJECTS, NUMBERS, STRINGS, ENCODINGS, STRUCTURES))

ACCEPTED = (
    b"[]", b"[[]]", b"[ ]", b"[\t1 , 2 ]", b"[null]", b"[1,null,null,2]", b'["a","b"]',
    b"[[[[[]]]]]",
    b"{}", b"{ }", b'{"a":1}', b'{"":0}', b'{"a":1,"a":1}', b'{"a":{"a":{}}}', b'{"\\u0061":1}',
    b'{"a":[]}', b'{"long":"' + b"x" * 5000 + b'"}', '{"ключ":"значение"}'.encode(),
    b"0", b"-0", b"0.0", b"-0.0", b"1", b"-1", b"10", b"1e1", b"1E1", b"1e+1", b"1e-1", b"1E-02",
    b"0e0", b"0e+1", b"1.5e3", b"123.456e78", b"-123.456", b"20e1", b"1e400", b"-1e400", b"1e-400",
    b"0." + b"1" * 300, b"9" * 300, b"-" + b"9" * 300, b"1.000000000000000005", b"1e00001",
    b'""', b'"a"', b'" "', b'"\\""', b'"\\\\"', b'"\\/"', b'"/"', b'"\\b\\f\\n\\r\\t"',
    b'"\\u0000"', b'"\\u001f"', b'"\x7f"', b'"\\u0022\\u005C\\u002f"', b'"\\uFFFF"', b'"\\ufdd0"',
    b'"\\ud83d\\ude39"', b'"\\uD834\\uDd1e"', b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\ud800"',
    b'"\\ud800a"', b'"\\udc00\\ud800"', b'"a/*b*/c/*d//e"', b'"\\\\u0000"', b'"\\\\a"',
    "\"\u2028\u2029\"".encode(), "\"\u20ac\U0001d11e\"".encode(), "\"\u00a0\u200b\u2060\"".encode(),
    b'"\xf4\x8f\xbf\xbf"', b'"\xef\xbf\xbe"', b'"\xef\xbb\xbf"', "\"\ufffd\"".encode(),
    b"true", b"false", b"null", b"[true,false,null]", b" 1 ", b"\t[1]\t", b"[" * 120 + b"]" * 120,
)  # fmt: skip

import t from 'tap';
import { ENDPOINT_TOKEN } from '../../src/model/endpoint.js';

void t.test('a token is safe in headers, logs and topics', (t) => {
  const safe = ['a', 'gi"ven ü', 'x'.repeat(256), '日本', '😀', 'a b'];
  const unsafe = [
    ...['', 'x'.repeat(257), ' a', 'a ', ' ', 'a\r\nb', 'a\tb', '\u0000', 'a\u007f', 'a\u0085b'],
    ...['a\u2028', '\ufeffa', 'a\u202eb', 'a\u200bb', 'a+b', 'a#b', 'a/b', 'a.b'],
  ];
  t.same(
    safe.filter((token) => !ENDPOINT_TOKEN.test(token)),
    [],
  );
  t.same(
    unsafe.filter((token) => ENDPOINT_TOKEN.test(token)),
    [],
  );
  t.end();
});

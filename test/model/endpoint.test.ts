import t from 'tap';
import { ENDPOINT_TOKEN } from '../../src/model/endpoint.js';

void t.test('a token is safe in headers, logs and topics', (t) => {
  for (const token of ['a', 'gi"ven ü', 'x'.repeat(256), '日本', '😀', 'a b'])
    t.match(token, ENDPOINT_TOKEN, JSON.stringify(token));
  const unsafe = [
    '',
    'x'.repeat(257),
    ' a',
    'a ',
    ' ',
    'a\r\nb',
    'a\tb',
    '\u0000',
    'a\u007f',
    'a\u0085b',
    'a\u2028',
    '\ufeffa',
  ];
  for (const token of [...unsafe, 'a\u202eb', 'a\u200bb', ...'+#/.'])
    t.notMatch(token, ENDPOINT_TOKEN, JSON.stringify(token));
  t.end();
});

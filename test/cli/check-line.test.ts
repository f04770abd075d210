import t from 'tap';
import { checkLine, type ImportKind } from '../../src/cli/import/check-line.js';

const check = (text: string, as?: ImportKind, number = 1) =>
  checkLine({ number, bytes: Buffer.from(text), tooLong: false }, { as, seed: 'seed' });
const fault = (text: string, as?: ImportKind): string => {
  const checked = check(text, as);
  return checked.kind === 'bad' ? checked.message : `taken as ${checked.kind}`;
};

void t.test('a registration is known by its version, an update by the lack of one', async (t) => {
  t.same(check('{"appVersion":{"name":"a-v1"},"endpointId":"e1","metadata":{"k":1}}'), {
    kind: 'registration',
    versionName: 'a-v1',
    item: { endpointId: 'e1', metadata: { k: 1 } },
  });
  t.same(check('{"endpointId":"e1","set":{"k":1}}'), {
    kind: 'metadata',
    endpointId: 'e1',
    conditional: false,
  });
  t.same(check('{"endpointId":"e1","unset":["k"],"ifMatch":"\\"1\\""}'), {
    kind: 'metadata',
    endpointId: 'e1',
    conditional: true,
  });
  t.same(check(' \t\r'), { kind: 'blank' });
});

void t.test('a registration without an id gets one that is the same at every attempt', async (t) => {
  const line = '{"appVersion":{"name":"a-v1"}}';
  const idOf = (number: number): string => {
    const checked = check(line, undefined, number);
    return checked.kind === 'registration' ? checked.item.endpointId : '';
  };
  t.match(idOf(1), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(idOf(1), idOf(1));
  t.not(idOf(1), idOf(2), 'equal lines are different endpoints');
});

void t.test('what is wrong is said', async (t) => {
  t.match(fault('nonsense'), /not JSON/);
  t.match(fault('[1]'), /not a JSON object/);
  t.match(fault('{"endpointId":"a","endpointId":"b","set":{}}'), /"endpointId" appears twice/);
  t.match(fault('{"endpointId":"a b","set":{}}'), /"a b" is not an endpointId/);
  t.match(fault('{"set":{}}'), /no endpointId/);
  t.match(fault('{"endpointId":"a"}'), /"set" or "unset"/);
  t.match(fault('{"endpointId":"a","set":[]}'), /"set" is a JSON object/);
  t.match(fault('{"endpointId":"a","put":{}}'), /no field "put"/);
  t.match(fault('{"endpointId":"a","metadata":{}}'), /names its application version/);
  t.match(fault('{"appVersion":"a-v1"}'), /names its application version/);
  t.match(fault('{"appVersion":{"name":"a-v1"},"endpointToken":"a/b"}'), /endpointToken/);
  t.match(fault('{"appVersion":{"name":"a-v1"},"relations":[]}'), /Relations are not taken/);
  t.match(fault('{"appVersion":{"name":"a-v1"},"endpointId":"a"}', 'metadata'), /no field "appVersion"/);
  t.match(fault('{"endpointId":"a","set":{"x":12345678901234567890}}'), /can't be held exactly/);
});

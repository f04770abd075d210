import t from 'tap';
import type { Command, VersionRef } from '../../src/model/command.js';
import { encodeRecord, type RecordHead } from '../../src/model/record.js';
import { evaluateGroup } from '../../src/workers/evaluate-group.js';
import { createVersionAnswer } from '../../src/workers/version-answer.js';
import fc from '../fast-check.js';
import { settingsOf, source } from './support.js';

const TIMES = [-5, 0, 7, 1_000, 1_700_000_000_000, Number.MAX_SAFE_INTEGER];
/** The second looks like the first where UTF-8 is read as Latin-1, and the other way round. */
const NAMES = ['v1', 'v12', 'é', 'Ã©', 'a"b', 'v1","versionSinceMs":5', ''];

const names = fc.constantFrom(...NAMES);
const versions: fc.Arbitrary<VersionRef> = fc.record({
  tenant: fc.constantFrom('kaa', 'acme'),
  application: fc.constantFrom('app', 'é'),
  version: names,
});
const heads = fc.record(
  {
    endpointId: names,
    tenant: fc.constantFrom('kaa', 'acme'),
    application: fc.constantFrom('app', 'é'),
    version: names,
    versionSinceMs: fc.constantFrom(...TIMES),
    tokenHash: fc.constant('hash'),
    task: fc.constant('task'),
    deletedMs: fc.constant(5),
  },
  { requiredKeys: ['endpointId', 'tenant', 'application', 'version', 'versionSinceMs'] },
);

void t.test('the answer of a look is that of the whole way, and there is none where that writes', (t) => {
  const answerOf = createVersionAnswer();
  const [filters, settings] = [source(), settingsOf()];
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      heads,
      versions,
      fc.constantFrom(...TIMES),
      fc.constantFrom(undefined, 'kaa', 'acme'),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      (head, other, timestampMs, tenant, isSame, isRepeat, isThere) => {
        const { endpointId } = head;
        const { tenant: own, application, version: name } = head;
        const version = isSame ? { tenant: own, application, version: name } : other;
        const command: Command = {
          type: 'set-version',
          endpointId,
          correlationId: 'c',
          timestampMs,
          version,
        };
        if (tenant !== undefined) command.tenant = tenant;
        if (isRepeat) command.unlessNewer = true;
        const record = isThere ? recordOf(head) : undefined;
        const group = { commands: [command], ...(record === undefined ? {} : { record }) };
        const { outcomes, write } = evaluateGroup(group, filters, settings);
        const answer = answerOf(record, command);
        seen.add(answer?.kind ?? 'none');
        if (write === undefined) t.same(answer, outcomes[0]);
        else t.equal(answer, undefined);
      },
    ),
    { numRuns: 3_000 },
  );
  t.same([...seen].sort(), ['none', 'refused', 'unchanged']);
  t.end();
});

void t.test('what takes more than a look', (t) => {
  const record = recordOf({
    endpointId: 'e',
    tenant: 'kaa',
    application: 'app',
    version: 'v1',
    versionSinceMs: 1,
  });
  const version = { tenant: 'kaa', application: 'app', version: 'v1' };
  const by = { endpointId: 'e', correlationId: 'c', timestampMs: 5 };
  const answerOf = createVersionAnswer();
  t.equal(answerOf(record, { type: 'set-version', version, ...by })?.kind, 'unchanged');
  t.equal(answerOf(record, { type: 'set-version', version, ...by, ifMatch: ['*'] }), undefined);
  t.equal(answerOf(record, { type: 'set-connectivity', connected: true, version, ...by }), undefined);
  t.equal(answerOf(undefined, { type: 'unregister', ...by }), undefined);
  t.end();
});

function recordOf(head: RecordHead): Uint8Array {
  const made = encodeRecord({
    revision: 3,
    filterSet: 0,
    createdMs: 1_600_000_000_000,
    metadataRevision: 2,
    head,
    metadataText: '{"a":1}',
  });
  // as it comes from LMDB: in a buffer that goes on behind it
  return Buffer.concat([made, Buffer.from('1234567890'.repeat(10))]).subarray(0, made.length);
}

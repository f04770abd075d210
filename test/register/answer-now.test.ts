import t from 'tap';
import type { Command } from '../../src/model/command.js';
import { mix } from '../../src/model/hash.js';
import type { Outcome } from '../../src/model/outcome.js';
import { SEED } from '../fast-check.js';
import { command, CONTEXT, fill, set, start } from './support.js';

const VERSIONS = {
  v1: { tenant: 'kaa', application: 'app', version: 'v1' },
  v2: { tenant: 'kaa', application: 'app', version: 'v2' },
  w1: { tenant: 'acme', application: 'other', version: 'w1' },
};

let drawn = SEED;
const random = () => (mix(++drawn) >>> 0) / 2 ** 32;

function report(endpointId: string, version: keyof typeof VERSIONS): Command {
  return command(endpointId, { type: 'set-version', version: VERSIONS[version] });
}

void t.test(
  'a quiet endpoint is answered at once, as by submit; one with a command under way is not',
  async (t) => {
    const running = await start(t);
    const { endpoints } = running.register;
    await fill(t, running, { e: { a: 1 }, other: {} });
    for (const [id, version] of [
      ['e', 'v1'],
      ['e', 'w1'],
      ['nobody', 'v1'],
    ] as const) {
      const now = endpoints.answerNow(report(id, version));
      t.same(now, await endpoints.submit(report(id, version)), `${id} ${version}`);
      t.not(now, undefined);
    }
    t.equal(endpoints.answerNow(report('e', 'v2')), undefined, 'it is to be written');

    const moved = endpoints.submit(report('e', 'v2'));
    for (const version of ['v1', 'v2', 'w1'] as const)
      t.equal(endpoints.answerNow(report('e', version)), undefined, 'a command is under way');
    t.equal(endpoints.answerNow(report('other', 'v1'))?.kind, 'unchanged', 'on another endpoint');
    t.match(await moved, { kind: 'applied', revision: 2 });
    t.match(endpoints.answerNow(report('e', 'v2')), { kind: 'unchanged', revision: 2 });
    t.equal(endpoints.answerNow(report('e', 'v1')), undefined);

    await endpoints.submit(command('e', { type: 'unregister' }));
    t.match(endpoints.answerNow(report('e', 'v2')), { code: 'endpoint-not-found' });
    await running.stop();
    t.equal(endpoints.answerNow(report('other', 'v1')), undefined, 'it has stopped');
  },
);

void t.test(
  'beside changes, registrations and unregistrations: what is answered is so at that moment',
  async (t) => {
    const running = await start(t);
    const { endpoints } = running.register;
    const ids = Array.from({ length: 5 }, (_, i) => `e${i}`);
    /** what each is after all that was submitted; undefined: not registered */
    const state = new Map<string, 'v1' | 'v2' | undefined>();
    const underWay = new Map(ids.map((id) => [id, 0]));
    const all: Promise<unknown>[] = [];
    const follow = (id: string, after: 'v1' | 'v2' | undefined, answer: Promise<unknown>) => {
      state.set(id, after);
      underWay.set(id, underWay.get(id)! + 1);
      all.push(answer.then(() => underWay.set(id, underWay.get(id)! - 1)));
    };
    const counts = { answered: 0, notYet: 0, changes: 0 };
    for (let step = 0; step < 4_000; step++) {
      const id = ids[step % ids.length]!;
      const present = state.get(id);
      const dice = random();
      const version = random() < 0.5 ? 'v1' : 'v2';
      if (dice < 0.1) {
        if (present === undefined)
          follow(id, 'v1', endpoints.register(CONTEXT, { endpointId: id, versionName: 'v1', metadata: {} }));
        else if (dice < 0.03) follow(id, undefined, endpoints.submit(command(id, { type: 'unregister' })));
      } else if (dice < 0.2) {
        follow(id, present === undefined ? undefined : version, endpoints.submit(report(id, version)));
      } else if (dice < 0.3) follow(id, present, endpoints.submit(set(id, 'n', step)));
      else {
        const answer = endpoints.answerNow(report(id, version));
        if (underWay.get(id)! > 0) {
          // a registration asks for its token first, an unregistration drops relations behind it: those are no commands
          if (answer === undefined) counts.notYet++;
          continue;
        }
        const expected = present === undefined ? 'refused' : present === version ? 'unchanged' : undefined;
        t.equal(answer?.kind, expected, `${id} is ${present}, ${version} is reported`);
        if (answer === undefined) counts.changes++;
        else counts.answered++;
      }
      if (random() < 0.1) await new Promise(setImmediate);
      if (random() < 0.02) await Promise.all(all.splice(0));
    }
    await Promise.all(all);
    t.ok(counts.answered > 50 && counts.notYet > 50 && counts.changes > 20, JSON.stringify(counts));
  },
);

void t.test('a store that others write to is not asked so', async (t) => {
  const running = await start(t, { wrap: (store) => ({ ...store, soleWriter: false }) });
  await fill(t, running, { e: {} });
  t.equal(running.register.endpoints.answerNow(report('e', 'v1')), undefined);
  const outcome: Outcome = await running.register.endpoints.submit(report('e', 'v1'));
  t.equal(outcome.kind, 'unchanged');
});

import t from 'tap';
import fc from '../fast-check.js';
import { parseQuery } from '../../src/filters/index.js';
import type { Command } from '../../src/model/command.js';
import { decodeEvents, type StoredEvent } from '../../src/model/event.js';
import type { JsonObject } from '../../src/model/json.js';
import { type MetadataDiff, diffMetadata } from '../../src/model/diff.js';
import { decodeRecord, isTombstone, metadataOf } from '../../src/model/record.js';
import type { EvaluatedOutcome } from '../../src/workers/messages.js';
import { wideDocument, wideQuery } from '../filters/random-queries.js';
import {
  command,
  etag,
  evaluate,
  type FilterChange,
  put,
  register,
  settingsOf,
  source,
  V1,
  V2,
  WORKER_SETTINGS,
} from './support.js';

const SETTINGS = settingsOf({
  limits: { ...WORKER_SETTINGS.limits, endpointBytes: 100_000, nesting: 32, metadataKeys: 3 },
});

type Step =
  | { kind: 'command'; command: Command; startsGroup: boolean; withTag: boolean }
  | { kind: 'add'; query: JsonObject }
  | { kind: 'requery' | 'activate' | 'remove'; which: number; query: JsonObject };

const metadata = wideDocument.map((document) => document.metadata);
const key = fc.constantFrom('city', 'temp', 'sky', 'constructor');
const value = metadata.map((object) => Object.values(object)[0] ?? null);
const wish: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.tuple(metadata, fc.constantFrom(V1, V2)).map(([m, version]) => register(m, { version })),
  },
  {
    weight: 3,
    arbitrary: metadata.map((m) => command({ type: 'replace-metadata', metadataText: JSON.stringify(m) })),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(key, value)
      .map(([k, v]) => command({ type: 'set-key', key: k, valueText: JSON.stringify(v) })),
  },
  { weight: 2, arbitrary: key.map((k) => command({ type: 'delete-key', key: k })) },
  {
    weight: 2,
    arbitrary: metadata.map((m) => command({ type: 'merge-patch', patchText: JSON.stringify(m) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom('add', 'replace', 'remove', 'test'), key, value), { maxLength: 3 })
      .map((ops) => ops.map(([op, k, v]) => ({ op, path: `/${k}`, value: v })))
      .map((ops) => command({ type: 'json-patch', patchText: JSON.stringify(ops) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(metadata, fc.array(key, { maxLength: 2 }))
      .map(([m, unset]) => command({ type: 'change-keys', setText: JSON.stringify(m), unset })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(V1, V2).map((version) => command({ type: 'set-version', version })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(V1, V2), fc.boolean(), fc.integer({ min: 0, max: 3 }))
      .map(([version, connected, timestampMs]) =>
        command({ type: 'set-connectivity', version, connected }, { timestampMs }),
      ),
  },
  { weight: 1, arbitrary: fc.constant(command({ type: 'unregister' })) },
  { weight: 1, arbitrary: fc.constant(command({ type: 'evaluate' })) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('command' as const),
      command: wish,
      startsGroup: fc.boolean(),
      withTag: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: wideQuery.map((query) => ({ kind: 'add' as const, query })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('requery' as const, 'activate' as const, 'activate' as const, 'remove' as const),
      which: fc.nat(9),
      query: wideQuery,
    }),
  },
);

/** Added and removed keys exactly, and all that were updated. */
function checkKeys(keys: MetadataDiff, net: MetadataDiff): void {
  const same = (a: readonly string[], b: readonly string[]) => [...a].sort().join() === [...b].sort().join();
  const isRight =
    same(keys.added, net.added) &&
    same(keys.removed, net.removed) &&
    net.updated.every((key) => keys.updated.includes(key));
  if (!isRight)
    throw new Error(`keys are ${JSON.stringify(keys)}, the records differ by ${JSON.stringify(net)}`);
}

interface Filter {
  number: number;
  query: JsonObject;
  active: boolean;
}

/** One endpoint and the filters of its application, folded from writes and events alone. */
class World {
  record: Uint8Array | undefined;
  readonly members = new Set<number>();
  /** by number, of active filters: members at activation and the events since */
  readonly followed = new Map<number, boolean>();
  readonly outcomes: EvaluatedOutcome[] = [];
  readonly events: StoredEvent[] = [];
  readonly filters = new Map<number, Filter>();
  private readonly held = source();
  private version = 0;

  constructor() {
    this.tell();
  }

  run(steps: readonly Step[], grouped: boolean): void {
    let group: Command[] = [];
    const flush = () => {
      if (group.length > 0) this.carryOut(group);
      group = [];
    };
    for (const one of steps) {
      if (one.kind !== 'command') {
        flush();
        this.changeFilters(one);
        continue;
      }
      // a registration begins a batch of its own, as in the pipeline
      if (!grouped || one.startsGroup || one.command.type === 'register') flush();
      const ifMatch =
        one.withTag && this.record !== undefined && group.length === 0 ? [etag(this.record)] : undefined;
      group.push(ifMatch === undefined ? one.command : { ...one.command, ifMatch });
    }
    flush();
  }

  private carryOut(commands: Command[]): void {
    const { outcomes, write } = evaluate(commands, {
      record: this.record,
      held: this.held,
      settings: SETTINGS,
    });
    this.outcomes.push(...outcomes);
    if (write === undefined) return;
    for (const number of write.matched) {
      if (this.members.has(number)) throw new Error(`${number} is matched twice`);
      this.members.add(number);
    }
    for (const number of write.unmatched)
      if (!this.members.delete(number)) throw new Error(`${number} is unmatched, and was no member`);
    const before = this.record === undefined || isTombstone(this.record) ? {} : metadataOf(this.record);
    const net = diffMetadata(before, metadataOf(write.record));
    if (write.moved && write.keys !== undefined) throw new Error('a moved write names keys');
    if (!write.moved) checkKeys(write.keys ?? { added: [], updated: [], removed: [] }, net);
    this.record = write.record;
    for (const event of write.events === undefined ? [] : decodeEvents(write.events).events) {
      this.events.push(event);
      if (event.filterId === undefined) continue;
      const number = Number(event.filterId.slice(1));
      const isMatch = event.kind === 'ep-matched';
      if (this.followed.get(number) === isMatch) throw new Error(`${event.kind} of ${number} comes twice`);
      this.followed.set(number, isMatch);
    }
  }

  private changeFilters(step: Exclude<Step, { kind: 'command' }>): void {
    if (step.kind === 'add') return this.add(step.query);
    const filters = [...this.filters.values()];
    const filter = filters[step.which % Math.max(1, filters.length)];
    if (filter === undefined) return;
    if (step.kind === 'activate') {
      if (filter.active) return;
      this.carryOut([command({ type: 'evaluate' })]);
      filter.active = true;
      this.followed.set(filter.number, this.members.has(filter.number));
      this.tell(put(filter.number, filter.query, true, this.version));
      return;
    }
    this.filters.delete(filter.number);
    this.followed.delete(filter.number);
    this.members.delete(filter.number);
    this.tell({ kind: 'remove', version: this.version, number: filter.number });
    if (step.kind === 'requery') this.add(step.query);
  }

  private add(query: JsonObject): void {
    const number = ++this.version;
    this.filters.set(number, { number, query, active: false });
    this.tell(put(number, query, false));
  }

  private tell(...changes: FilterChange[]): void {
    this.held.change(...changes);
  }

  /** What a fresh query would find. */
  fresh(): number[] {
    if (this.record === undefined || isTombstone(this.record)) return [];
    const { head, metadataText } = decodeRecord(this.record);
    const document = {
      endpointId: 'e1',
      applicationVersion: head.version,
      metadata: JSON.parse(metadataText) as JsonObject,
    };
    return [...this.filters.values()]
      .filter(({ query }) => {
        const parsed = parseQuery(query);
        return parsed.ok && parsed.query.matches(document);
      })
      .map(({ number }) => number);
  }
}

const steps = fc
  .tuple(metadata, fc.array(step, { minLength: 10, maxLength: 60 }))
  .map(([first, rest]): Step[] => [
    { kind: 'command', command: register(first), startsGroup: true, withTag: false },
    ...rest,
  ]);

function summary(outcomes: readonly EvaluatedOutcome[]): string {
  return outcomes
    .map((outcome) =>
      outcome.kind === 'refused'
        ? outcome.code
        : `${outcome.kind} ${outcome.revision} ${outcome.metadataRevision} ${Buffer.from(outcome.metadata ?? []).toString()}`,
    )
    .join('\n');
}

void t.test('commands in groups come to what they come to one at a time', async (t) => {
  let applied = 0;
  fc.assert(
    fc.property(
      steps.map((all) => all.map((one) => (one.kind === 'command' ? { ...one, withTag: false } : one))),
      (all) => {
        const single = new World();
        single.run(all, false);
        const grouped = new World();
        grouped.run(all, true);
        applied += grouped.outcomes.filter(({ kind }) => kind === 'applied').length;
        const eventsOf = (world: World) =>
          world.events.map(
            (event) =>
              `${event.kind} ${event.revision} ${event.filterId} ${Buffer.from(event.payload).toString('hex')}`,
          );
        return (
          summary(single.outcomes) === summary(grouped.outcomes) &&
          Buffer.compare(single.record ?? Buffer.alloc(0), grouped.record ?? Buffer.alloc(0)) === 0 &&
          [...single.members].sort().join() === [...grouped.members].sort().join() &&
          eventsOf(single).join('\n') === eventsOf(grouped).join('\n')
        );
      },
    ),
    { numRuns: 250 },
  );
  t.ok(applied > 300, `${applied} commands were applied`);
});

void t.test('memberships and events come to what a fresh query finds', async (t) => {
  let members = 0;
  fc.assert(
    fc.property(steps, (all) => {
      const world = new World();
      world.run(
        [
          ...all,
          { kind: 'command', command: command({ type: 'evaluate' }), startsGroup: true, withTag: false },
        ],
        true,
      );
      const fresh = world.fresh();
      members += fresh.length;
      for (const { number, active } of world.filters.values()) {
        const isMember = fresh.includes(number);
        if (world.members.has(number) !== isMember) return false;
        if (active && (world.followed.get(number) ?? false) !== isMember) return false;
      }
      return [...world.members].every((number) => world.filters.has(number));
    }),
    { numRuns: 300 },
  );
  t.ok(members > 50, `${members} memberships were compared`);
});

void t.test('events of pending filters are not published, and revisions have no gaps', async () => {
  fc.assert(
    fc.property(steps, (all) => {
      const world = new World();
      const pendingEvents: string[] = [];
      for (const one of all) {
        const before = world.events.length;
        world.run([one], true);
        for (const { filterId } of world.events.slice(before))
          if (filterId !== undefined && !world.filters.get(Number(filterId.slice(1)))?.active)
            pendingEvents.push(filterId);
      }
      const revisions = [...new Set(world.events.map(({ revision }) => revision))];
      return pendingEvents.length === 0 && revisions.every((revision, i) => revision === i + 1);
    }),
    { numRuns: 300 },
  );
});

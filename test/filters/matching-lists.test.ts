import t from 'tap';
import {
  addGuarded,
  FIRST_GUARD,
  type Guard,
  NO_GUARD,
  NOT_THERE,
  removeGuarded,
} from '../../src/filters/matching/guards.js';
import { capacityOf, Header, Image } from '../../src/filters/matching/image.js';
import { Posting } from '../../src/filters/matching/layout.js';
import {
  listAdd,
  listItem,
  listLength,
  listPop,
  listRelease,
  listRemove,
  type ListRef,
} from '../../src/filters/matching/lists.js';
import { RecordTable } from '../../src/filters/matching/tables.js';
import { randomOf } from './fuzz/random.js';

const itemsOf = (image: Image, list: ListRef): number[] =>
  Array.from({ length: listLength(image, list) }, (_, i) => listItem(image, list, i));

void t.test('lists, as arrays have them; what they leave is used again', async (t) => {
  const image = new Image();
  const random = randomOf(1);
  const rounds: number[] = [];
  for (let round = 0; round < 40; round++) {
    const lists: ListRef[] = [0, 0, 0, 0];
    const models: number[][] = [[], [], [], []];
    const most = [1, 2, 40, 400];
    for (let step = 0; step < 1500; step++) {
      const which = random.below(4);
      const model = models[which]!;
      if (model.length < most[which]! && (random.chance(65) || model.length === 0)) {
        lists[which] = listAdd(image, lists[which]!, step + 1);
        model.push(step + 1);
      } else if (random.chance(40)) {
        lists[which] = listPop(image, lists[which]!);
        model.pop();
      } else {
        const at = random.below(model.length);
        lists[which] = listRemove(image, lists[which]!, model[at]!);
        // the last one takes the place
        const last = model.pop()!;
        if (at < model.length) model[at] = last;
      }
      if (step % 10 === 0 && itemsOf(image, lists[which]).join() !== model.join())
        throw new Error(`round ${round}, step ${step}: another list`);
    }
    t.ok(lists[0]! <= 0, 'one item takes no block');
    for (const list of lists) listRelease(image, list);
    rounds.push(image.bytes);
  }
  t.equal(rounds.at(-1), rounds[20], 'memory does not grow');
  const list = listAdd(image, listAdd(image, listAdd(image, 0, 1), 2), 3);
  t.equal(listRemove(image, list, 9), list, 'what is not there is not removed');
  t.strictSame(itemsOf(image, list), [1, 2, 3]);
});

void t.test('lists of guards, as arrays have them', async (t) => {
  const image = new Image();
  const random = randomOf(2);
  const guards = Array.from({ length: 20 }, (_, i): Guard => ({
    what: 4 | ((i + 1) << 4),
    operand: i,
    more: -i,
  }));
  let list = 0;
  const model: { query: number; guard: Guard }[] = [];
  const check = (): void => {
    const found = Array.from({ length: list === 0 ? 0 : image.i32[list + 1]! }, (_, i) => {
      const at = list + FIRST_GUARD + i * Posting.words;
      return [...image.i32.subarray(at, at + Posting.words)].join();
    });
    const wanted = model.map(({ query, guard: { what, operand, more } }) =>
      [what, query, operand, more].join(),
    );
    t.strictSame(found.sort(), wanted.sort());
  };
  for (let step = 0; step < 4000; step++) {
    if (random.chance(step % 2000 < 1200 ? 70 : 10) || model.length === 0) {
      const guard = random.chance(20) ? NO_GUARD : random.pick(guards);
      list = addGuarded(image, list, step + 1, guard);
      model.push({ query: step + 1, guard });
    } else {
      const [gone] = model.splice(random.below(model.length), 1);
      list = removeGuarded(image, list, gone!.query);
    }
    if (step % 100 === 0) check();
  }
  check();
  for (const { query } of model) list = removeGuarded(image, list, query);
  t.equal(list, 0);
  t.equal(removeGuarded(image, 0, 5), NOT_THERE);
});

void t.test('a table finds what is there, whatever was removed beside it', async (t) => {
  const image = new Image();
  const table = new RecordTable(image, Header.opaques);
  const random = randomOf(3);
  const records = new Map<number, number>();
  const gone = new Map<number, number>();
  for (let step = 0; step < 6000; step++) {
    if (random.chance(step % 3000 < 1500 ? 75 : 30) || records.size === 0) {
      const record = image.allocate(4);
      // few hashes, near each other, at both ends of the table: long runs that go around
      image.i32[record] = random.chance(50) ? random.below(40) - 20 : random.below(2 ** 32) | 0;
      image.i32[record + 1] = step;
      table.add(record);
      records.set(step, record);
    } else {
      const name = random.pick([...records.keys()]);
      table.remove(records.get(name)!);
      gone.set(name, records.get(name)!);
      records.delete(name);
    }
    if (step % 200 > 0) continue;
    t.equal(image.i32[Header.opaques + 2], records.size);
    const find = (name: number, record: number): number =>
      table.find(image.i32[record]!, (each) => image.i32[each + 1] === name);
    t.notOk(
      [...records].some(([name, record]) => find(name, record) !== record),
      'all are found',
    );
    t.notOk(
      [...gone].some(([name, record]) => find(name, record) !== 0),
      'what is gone is not',
    );
  }
});

void t.test(
  'blocks have the size that was asked for, are all zero, and never lie in one another',
  async (t) => {
    const image = new Image();
    const random = randomOf(4);
    const sizes = [1, 3, 4, 5, 63, 64, 65, 68, 80, 81, 127, 128, 129, 1000, 1024, 1025, 5000];
    const isFit = (words: number): boolean => {
      const size = capacityOf(words);
      return size >= words && size < words * 1.25 + 4 && size % 4 === 0 && capacityOf(size) === size;
    };
    const asked = [...sizes, ...random.list(() => 1 + random.below(100_000), 500)];
    t.strictSame(
      asked.filter((words) => !isFit(words)),
      [],
    );
    const blocks: { at: number; words: number; mark: number }[] = [];
    const wordsOf = ({ at, words }: { at: number; words: number }) => image.i32.subarray(at, at + words);
    let faults = 0;
    for (let step = 1; step <= 5000; step++) {
      if (random.chance(55) || blocks.length === 0) {
        const words = random.chance(50) ? random.pick(sizes) : 1 + random.below(300);
        const block = { at: image.allocate(words), words, mark: step };
        if (block.at % 4 !== 0 || wordsOf(block).some((word) => word !== 0)) faults++;
        wordsOf(block).fill(step);
        blocks.push(block);
      } else {
        const [gone] = blocks.splice(random.below(blocks.length), 1);
        if (wordsOf(gone!).some((word) => word !== gone!.mark)) faults++;
        image.release(gone!.at, gone!.words);
      }
    }
    t.equal(faults, 0);
    t.ok(blocks.length > 300);
    t.strictSame(
      blocks.filter((block) => wordsOf(block).some((word) => word !== block.mark)),
      [],
    );
  },
);

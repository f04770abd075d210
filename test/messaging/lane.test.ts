import t from 'tap';
import { createLane } from '../../src/messaging/served/lane.js';

/** Items that are done when they are told to be. */
function createItems(limits: Partial<Parameters<typeof createLane>[0]>) {
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const bounds = { maxUnderWay: 10, maxUnderWayBytes: 100, maxWaiting: 10, maxWaitingBytes: 1000 };
  const lane = createLane<number>({ ...bounds, ...limits }, (item) => {
    begun.push(item);
    return { weight: 1, done: new Promise((resolve) => ends.set(item, resolve)) };
  });
  const end = async (item: number) => {
    ends.get(item)!();
    await new Promise(setImmediate);
  };
  return { lane, begun, end };
}

void t.test('so many bytes at a time, in their order; one that is larger goes alone', async (t) => {
  const { lane, begun, end } = createItems({});
  for (const [item, bytes] of [60, 40, 1, 500, 10].entries()) t.equal(lane.offer(item, bytes), true);
  t.same(begun, [0, 1], 'as many as fit');
  t.equal(lane.waiting(), 3);
  await end(0);
  t.same(begun, [0, 1, 2], 'the large one waits, and holds back what came later');
  await end(1);
  t.same(begun, [0, 1, 2]);
  await end(2);
  t.same(begun, [0, 1, 2, 3]);
  await end(3);
  t.same(begun, [0, 1, 2, 3, 4]);
  const idle = lane.idle();
  await end(4);
  await idle;
  t.equal(lane.underWay(), 0);
});

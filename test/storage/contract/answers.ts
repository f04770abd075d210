import type { Test } from 'tap';
import type { OpenStore } from './building.js';

/** Answers under idempotency keys. */
export function answerContract(t: Test, open: OpenStore): void {
  void t.test('answers are kept once under an id, counted, and expire by date', async (t) => {
    const { store, reopen } = await open(t);
    const answer = (id: string, createdMs: number, text = `{"of":"${id}"}`) => ({
      id,
      createdMs,
      fingerprint: `asked-${id}`,
      answer: text,
    });
    t.equal(await store.getAnswer('a'), undefined);
    t.equal(await store.countAnswers(), 0);
    t.same(await store.putAnswer(answer('a', 1000)), answer('a', 1000));
    t.same(await store.putAnswer(answer('a', 2000, 'other')), answer('a', 1000), 'the first one stays');
    const raced = await Promise.all([1, 2, 3].map((i) => store.putAnswer(answer('b', 1000 + i))));
    for (const each of raced) t.same(each, raced[0], 'those at the same time see one');
    await store.putAnswer(answer('c', 5000));
    const again = await reopen();
    t.equal(await again.countAnswers(), 3);
    t.same(await again.getAnswer('a'), answer('a', 1000));
    t.equal(await again.expireAnswers(1000), 0, 'not one of that very date');
    t.equal(await again.expireAnswers(5000), 2);
    t.equal(await again.getAnswer('a'), undefined);
    t.equal(await again.getAnswer('b'), undefined);
    t.same(await again.getAnswer('c'), answer('c', 5000));
    t.equal(await again.countAnswers(), 1);
    t.same(await again.putAnswer(answer('a', 6000)), answer('a', 6000), 'its id is free again');
  });

  void t.test('very many expire', async (t) => {
    const { store } = await open(t);
    const ids = Array.from({ length: 2500 }, (_, i) => `id-${i}`);
    await Promise.all(
      ids.map((id, i) => store.putAnswer({ id, createdMs: i, fingerprint: 'f', answer: '{}' })),
    );
    t.equal(await store.expireAnswers(2400), 2400);
    t.equal(await store.countAnswers(), 100);
  });
}

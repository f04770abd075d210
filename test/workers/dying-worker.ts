import work from '../../src/workers/worker.js';
import { decodeGroups } from '../../src/workers/batch-frames.js';
import type { WorkerRequest } from '../../src/workers/messages.js';

const WAYS: Record<string, () => unknown> = {
  exit: () => process.exit(7),
  // not in the call: nobody catches it
  throw: () =>
    new Promise(() =>
      setImmediate(() => {
        throw new Error('thrown in a thread');
      }),
    ),
  memory: () => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(100_000).fill(kept.length));
  },
};

/**
 * The real worker, but that it dies of requests that hold a mark: `die-of-exit!`, or `die-of-exit-in-screen!`, which counts in
 * such requests only, `-in-evaluate!`, or `-in-company!`, in batches of several endpoints.
 */
export default function dieOrWork(request: WorkerRequest): unknown {
  const bytes = Buffer.from(request.kind === 'evaluate' ? request.groups : request.records);
  const [mark, way, where] = /die-of-(\w+)(?:-in-(\w+))?!/.exec(bytes.toString('latin1')) ?? [];
  const isCompany = () => request.kind === 'evaluate' && decodeGroups(bytes).length > 1;
  const counts = where === 'company' ? isCompany() : where === undefined || where === request.kind;
  return mark !== undefined && counts ? WAYS[way!]!() : work(request);
}

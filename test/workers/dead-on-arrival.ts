import { existsSync } from 'node:fs';

/** The real worker, when a file is there; else it dies while it loads. */
if (!existsSync(process.env['EPR_TEST_THREADS_MAY_LIVE']!)) process.exit(9);
const { default: work } = await import('../../src/workers/worker.js');
export default work;

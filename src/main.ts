#!/usr/bin/env node
import { runCommandLine } from './cli/index.js';

// A reader that has enough, such as `head`, ends a command that does not look after its output itself; it is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (process.stdout.listenerCount('error') > 1) return;
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.exitCode = await runCommandLine(process.argv.slice(2));

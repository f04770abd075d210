#!/usr/bin/env node
import { runCommandLine } from './cli/index.js';

// A reader that has enough, such as `head`, ends a command that does not care itself; it is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (process.stdout.listenerCount('error') === 1) process.exit();
});
process.exitCode = await runCommandLine(process.argv.slice(2));

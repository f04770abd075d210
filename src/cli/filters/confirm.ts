import { createInterface } from 'node:readline/promises';

/** Asks on the terminal. False: anything but yes, or its end; rejects when Ctrl-C is pressed or `signal` aborts. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const pressed = new AbortController();
  // the terminal is in raw mode, where Ctrl-C is a key and no signal
  terminal.on('SIGINT', () => pressed.abort());
  const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  try {
    const asked = terminal.question(question, { signal: AbortSignal.any([signal, pressed.signal]) });
    const answer = await Promise.race([asked, ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

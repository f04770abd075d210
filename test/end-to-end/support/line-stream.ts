import { once } from 'node:events';
import { request } from 'node:http';
import { within } from './wait.js';

export interface LineAnswer {
  endpointId: string | null;
  status: number;
  etag?: string;
  code?: string;
  message?: string;
}

/** One streamed request to `POST /endpoints/metadata/batch`. Answers come in the order of the lines. */
export interface LineStream {
  /** Resolves when there is room for more. @throws Error when the connection is gone */
  write(items: readonly object[]): Promise<void>;
  written(): number;
  answered(): number;
  /** Resolves when that many are answered. @throws Error when the connection ends before */
  untilAnswered(count: number): Promise<void>;
  /** Ends the request; resolves when the answer has ended. @throws Error when not every line is answered then */
  end(): Promise<void>;
  /** resolves when the answer has ended, or the connection broke: then with why */
  ended: Promise<Error | undefined>;
}

/** @param onAnswer called for each answer with the number of its line, from 0 */
export function openLineStream(
  url: string,
  onAnswer: (answer: LineAnswer, line: number) => void,
): LineStream {
  let written = 0;
  let answered = 0;
  let over = false;
  const waiting = new Set<() => void>();
  const wake = (): void => waiting.forEach((look) => look());

  const upload = request(`${url}/api/v1/endpoints/metadata/batch`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const ended = new Promise<Error | undefined>((resolve) => {
    upload.on('error', resolve);
    upload.on('response', (response) => {
      let rest = '';
      response.setEncoding('utf8');
      response.on('error', resolve);
      response.on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        if (response.statusCode !== 200) return;
        for (const line of lines) onAnswer(JSON.parse(line) as LineAnswer, answered++);
        wake();
      });
      response.on('end', () => {
        resolve(
          response.statusCode === 200 ? undefined : new Error(`answered ${response.statusCode}: ${rest}`),
        );
      });
      response.on('close', () => resolve(new Error('the connection was closed')));
    });
  });
  void ended.then(() => {
    over = true;
    wake();
  });

  const untilAnswered = async (count: number): Promise<void> => {
    let look = (): void => undefined;
    const enough = new Promise<void>((resolve, reject) => {
      look = () => {
        if (answered >= count) resolve();
        else if (over) reject(new Error(`the stream ended at ${answered} of ${count} answers`));
      };
      waiting.add(look);
      look();
    });
    await within(`${count} answers`, enough, () => ({ written, answered })).finally(() =>
      waiting.delete(look),
    );
  };

  return {
    ended,
    untilAnswered,
    written: () => written,
    answered: () => answered,
    async write(items) {
      if (over) throw new Error(`the stream is over, at ${answered} of ${written} answers`);
      written += items.length;
      if (upload.write(items.map((item) => `${JSON.stringify(item)}\n`).join(''))) return;
      await within('room in the stream', Promise.race([once(upload, 'drain'), ended]), () => ({
        written,
        answered,
      }));
    },
    async end() {
      upload.end();
      const error = await within('the end of the answer', ended, () => ({ written, answered }));
      if (error !== undefined) throw error;
      if (answered !== written) throw new Error(`${written} lines were sent, ${answered} were answered`);
    },
  };
}

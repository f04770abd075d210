import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { fetchedFastavro, skipWithout } from './installed.js';

/** A codec of Avro that is not ours, in a process of Python. Bytes as hex. */
export interface Fastavro {
  /** Each record decoded and encoded again. Rejects when one does not decode, or has bytes left over. */
  recode(schema: object, records: readonly string[]): Promise<string[]>;
  /** Records with random values, encoded; numbers are below 2^53. */
  random(schema: object, count: number): Promise<string[]>;
}

const PROGRAM = `
import io, json, sys
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.utils import generate_many

def encode(schema, value):
    out = io.BytesIO()
    schemaless_writer(out, schema, value)
    return out.getvalue().hex()

def recode(schema, text):
    source = io.BytesIO(bytes.fromhex(text))
    value = schemaless_reader(source, schema)
    if source.read(1):
        raise ValueError('bytes are left over')
    return encode(schema, value)

def bound(value):
    if isinstance(value, dict):
        return {key: bound(each) for key, each in value.items()}
    if isinstance(value, list):
        return [bound(each) for each in value]
    return value % 2**53 if isinstance(value, int) and abs(value) >= 2**53 else value

for line in sys.stdin:
    asked = json.loads(line)
    try:
        schema = parse_schema(asked['schema'])
        if 'count' in asked:
            made = [encode(schema, bound(value)) for value in generate_many(schema, asked['count'])]
        else:
            made = [recode(schema, text) for text in asked['records']]
        answer = {'made': made}
    except Exception as error:
        answer = {'error': repr(error)}
    print(json.dumps(answer), flush=True)
`;

/**
 * fastavro, as `npm run test:servers` fetched it.
 * @returns undefined when there is none; then `t` has been given a skip
 * @throws Error when there is none and EPR_TESTS_REQUIRE_SERVERS is 1
 */
export function startFastavro(t: Test): Fastavro | undefined {
  const fetched = fetchedFastavro();
  if (fetched === undefined) return skipWithout(t, 'fastavro');
  const env = { ...process.env, PYTHONPATH: fetched.packages, PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(fetched.python, ['-c', PROGRAM], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ask = async (question: object): Promise<string[]> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error('fastavro ended');
    const { made, error } = JSON.parse(line.value) as { made?: string[]; error?: string };
    if (made === undefined) throw new Error(error);
    return made;
  };
  return {
    recode: (schema, records) => ask({ schema, records }),
    random: (schema, count) => ask({ schema, count }),
  };
}

import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createMessaging } from '../../src/messaging/index.js';
import type { Command } from '../../src/model/command.js';
import type { Outcome } from '../../src/model/outcome.js';
import { openStore } from '../../src/storage/index.js';
import { communicationService } from './connectivity-support.js';
import { catalogue, createMemoryOutbox } from './support.js';

/** Consumes connectivity events, and dies of each that names the endpoint `deadly`. */
const [url, storageUrl] = [process.argv[2]!, process.argv[3]!];
const store = await openStore({ url: storageUrl, durability: 'sync' });
const done: Outcome = { kind: 'applied', revision: 1, metadataRevision: 1, createdMs: 0, versionSinceMs: 0 };
const messaging = createMessaging({
  options: {
    urls: [url],
    instance: 'epr',
    replicaId: 'r',
    communicationService,
    connectivity: { ackWaitMs: 500 },
  },
  store: createMemoryOutbox(),
  kept: { past: () => Promise.reject(new Error('nothing is kept')), isShared: false },
  texts: store,
  submit(commands: Command[]) {
    if (commands.some(({ endpointId }) => endpointId === 'deadly')) process.kill(process.pid, 'SIGKILL');
    // long enough to be under way beside a deadly one
    return new Promise((resolve) =>
      setTimeout(
        resolve,
        50,
        commands.map(() => done),
      ),
    );
  },
  catalogue: () => catalogue,
  log: pino({ level: 'info' }),
  metrics: new Registry(),
});
process.on('message', () => {
  void messaging
    .stop()
    .then(() => store.close())
    .then(() => process.exit(0));
});
await messaging.start();

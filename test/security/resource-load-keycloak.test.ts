/* eslint-disable @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-assignment -- answers are JSON of any shape */
/** The whole service on a real Keycloak: what everybody else sees of a batch that makes many resources. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startKeycloak } from '../servers/index.js';
import { startSecuredService } from './secured-service.js';

const COUNT = 200;
const version = { appVersion: { name: 'demo-v1' } };

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const kaa = await keycloak.realm();
  const [admin, reader] = await Promise.all([
    kaa.addUser('admin', ['endpoint-admin']),
    kaa.addUser('reader', ['endpoint-reader']),
  ]);

  void t.test('who reads and who registers is served while a batch makes resources', async (t) => {
    // each read is a question to the auth server
    const { as } = await startSecuredService(t, { kaa }, { 'kaa.security.decision-cache': '0s' });
    const asAdmin = as(await admin.token());
    const asReader = as(await reader.token());
    t.equal((await asAdmin('POST', '/endpoints', { ...version, endpointId: 'there' })).status, 201);
    const endpoints = Array.from({ length: COUNT }, (_, i) => ({ endpointId: `b-${i}` }));
    const started = await asAdmin('POST', '/endpoints/batch', { ...version, endpoints });
    t.equal(started.status, 202, started.text);

    const reads: number[] = [];
    let isDone = false;
    const reading = (async () => {
      while (!isDone) reads.push((await asReader('GET', '/endpoints/there')).status);
    })();
    const path = `/endpoints/batch/status?appName=demo&taskId=${started.json.taskId}`;
    const singles: number[] = [];
    for (;;) {
      const { json } = await asAdmin('GET', path);
      if (json.createdCount === COUNT) break;
      if (json.failedCount > 0) throw new Error(JSON.stringify(json));
      const single = { ...version, endpointId: `single-${singles.length}` };
      if (singles.length < 5) singles.push((await asAdmin('POST', '/endpoints', single)).status);
      await pause(100);
    }
    isDone = true;
    await reading;
    t.ok(reads.length > 0);
    t.same([...new Set(reads)], [200]);
    t.same([...new Set(singles)], [201]);
    t.equal((await kaa.resources('endpoint-b-')).length, COUNT);
  });
}

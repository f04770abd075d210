import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { type LinkStatus, type NatsLink, createNatsLink } from '../../src/messaging/connection.js';
import type { MessagingOptions } from '../../src/messaging/options.js';
import { createSparingLog } from '../../src/messaging/sparing-log.js';
import { createSubjects } from '../../src/messaging/subjects.js';
import { hearLog, type LogLine } from './heard-log.js';
import { until } from './support.js';

export interface TestLink {
  link: NatsLink;
  /** what it has logged */
  lines: LogLine[];
  /** how often a message that begins so was logged */
  said: (begin: string) => number;
  connected: () => Promise<LinkStatus>;
  /** resolves when there is no connection, and it is known why */
  failed: (pattern: RegExp) => Promise<LinkStatus>;
  count: (name: string, labels?: Record<string, string>) => Promise<number>;
}

/** A connection alone, quick to try again, that writes its log where the test sees it. */
export function startLink(t: Test, options: Partial<MessagingOptions> & { urls: string[] }): TestLink {
  const { lines, log } = hearLog('trace');
  const registry = new Registry();
  const { link: limits, ...rest } = options;
  const link = createNatsLink(
    {
      instance: 'epr',
      replicaId: 'r1',
      link: { retryFirstMs: 20, retryMostMs: 100, ...limits },
      ...rest,
    },
    { log, sparing: createSparingLog(log), registry, isOwn: createSubjects('epr').isOwn },
  );
  t.teardown(() => link.close());
  link.start();
  return {
    link,
    lines,
    said: (begin) => lines.filter(({ msg }) => msg.startsWith(begin)).length,
    async connected() {
      await until(() => link.status().connected);
      return link.status();
    },
    async failed(pattern) {
      await until(() => !link.status().connected && pattern.test(link.status().error ?? ''));
      return link.status();
    },
    async count(name, labels = {}) {
      const { values } = await registry.getSingleMetric(name)!.get();
      return values
        .filter((value) => Object.entries(labels).every(([key, label]) => value.labels[key] === label))
        .reduce((sum, { value }) => sum + value, 0);
    },
  };
}

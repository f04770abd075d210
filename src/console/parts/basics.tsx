import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { formatAge, formatTime, formatUtc } from '../format.js';

/** A date, and how long ago it was. */
export function When({ iso }: { iso: string | undefined }) {
  if (iso === undefined) return <span class="muted">never</span>;
  const date = new Date(iso);
  return (
    <time dateTime={iso} title={`${formatAge(date.getTime(), Date.now())}; ${formatUtc(date)}`}>
      {formatTime(date)}
    </time>
  );
}

/** Nothing is there, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="muted loading" role="status">
      Reading {what} …
    </p>
  );
}

/** Text that a caller chose, at any length and in any script: kept apart from what stands around it. */
export function Text({ children }: { children: string }) {
  return <bdi class="data">{children}</bdi>;
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <button
      type="button"
      class="button button-small"
      aria-label={`Copy ${what}`}
      onClick={() => void navigator.clipboard.writeText(text).then(() => setDone(true))}
    >
      {done ? 'Copied' : 'Copy'}
    </button>
  );
}

export function StatusBadge({ status, fault }: { status: 'pending' | 'active'; fault?: string | undefined }) {
  const kind = fault === undefined ? status : 'fault';
  return <span class={`badge badge-${kind}`}>{kind === 'fault' ? 'unreadable' : status}</span>;
}

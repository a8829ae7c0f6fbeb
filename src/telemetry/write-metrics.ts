import { Counter } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** Adds how many writes share a sync to disk; the database itself is asked when somebody looks. */
export function collectWrites(
  { registry }: Pick<Metrics, 'registry'>,
  stats: () => { readonly commits: number; readonly jobs: number },
): void {
  const counted = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  counted('firekeeper_database_commits_total', 'Commits synced to disk', () => stats().commits);
  counted('firekeeper_database_writes_total', 'Writes that those commits hold', () => stats().jobs);
}

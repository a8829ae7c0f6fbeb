/** Log, metrics and readiness: what any folder may write to. Never message text, never a key, never a URL. */
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

export type Telemetry = { readonly log: Log; readonly metrics: Metrics };

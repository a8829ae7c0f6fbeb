import { Gauge } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** Shows whether turns keep away from the primary endpoint; asked when somebody looks. */
export function collectCircuit(
  { registry }: Pick<Metrics, 'registry'>,
  state: () => 'closed' | 'half-open' | 'open',
): void {
  new Gauge({
    name: 'firekeeper_primary_circuit_open',
    help: '1 while turns go to the fallback endpoint, 0.5 while one of them tries the primary, else 0',
    registers: [registry],
    collect() {
      this.set({ closed: 0, 'half-open': 0.5, open: 1 }[state()]);
    },
  });
}

import { freemem, totalmem } from 'node:os';

export type MachineMemory = {
  readonly totalBytes: number;
  /** What a process could still get. */
  readonly availableBytes: number;
  /** The container's limit; 0, or more than the machine has, where there is none. */
  readonly limitBytes: number;
};

/** Share of the memory that is in use: the container's where it has a limit, else the machine's. 0 to 1. Pure. */
export function usedShare({ totalBytes, availableBytes, limitBytes }: MachineMemory): number {
  const limited = limitBytes > 0 && limitBytes < totalBytes;
  const whole = limited ? limitBytes : totalBytes;
  return Math.min(1, Math.max(0, 1 - availableBytes / whole));
}

export function machineShare(): number {
  const limitBytes = process.constrainedMemory();
  const totalBytes = totalmem();
  const limited = limitBytes > 0 && limitBytes < totalBytes;
  // Within a container only the control group knows what is left; `freemem` counts what caches could give back as used.
  const availableBytes = limited ? process.availableMemory() : Math.max(process.availableMemory(), freemem());
  return usedShare({ totalBytes, availableBytes, limitBytes });
}

import { describe, expect, it } from 'vitest';
import { makeBus } from './bus.ts';

describe('bus', () => {
  it('tells every listener of every event, in the order of publishing', () => {
    const bus = makeBus<number>(() => expect.unreachable());
    const heard: string[] = [];
    bus.subscribe((event) => heard.push(`a${event}`));
    bus.subscribe((event) => heard.push(`b${event}`));
    bus.publish(1);
    bus.publish(2);
    expect(heard).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  it('tells nothing to whoever has unsubscribed, and unsubscribing twice does nothing', () => {
    const bus = makeBus<number>(() => expect.unreachable());
    const heard: number[] = [];
    const unsubscribe = bus.subscribe((event) => heard.push(event));
    bus.publish(1);
    unsubscribe();
    unsubscribe();
    bus.publish(2);
    expect(heard).toEqual([1]);
  });

  it('lets no listener break the one who publishes or the other listeners', () => {
    const errors: unknown[] = [];
    const bus = makeBus<string>((error) => errors.push(error));
    const heard: string[] = [];
    const fault = new Error('a listener failed');
    bus.subscribe(() => {
      throw fault;
    });
    bus.subscribe((event) => heard.push(event));
    bus.publish('told');
    expect(heard).toEqual(['told']);
    expect(errors).toEqual([fault]);
  });

  it('lets a listener unsubscribe while it is told', () => {
    const bus = makeBus<number>(() => expect.unreachable());
    const heard: string[] = [];
    const unsubscribe = bus.subscribe((event) => {
      heard.push(`once${event}`);
      unsubscribe();
    });
    bus.subscribe((event) => heard.push(`always${event}`));
    bus.publish(1);
    bus.publish(2);
    expect(heard).toEqual(['once1', 'always1', 'always2']);
  });
});

import { expect, test } from 'vitest';
import { decideWake, type WakeDecision, type WakeFacts } from './decide-wake.ts';

test.each<[WakeFacts['phase'], WakeFacts['doubleTexting'], WakeDecision, WakeDecision]>([
  ['none', 'enqueue', 'begin', 'begin'],
  ['none', 'interrupt', 'begin', 'begin'],
  ['none', 'reject', 'begin', 'begin'],
  ['releasing', 'enqueue', 'begin', 'begin'],
  ['releasing', 'interrupt', 'begin', 'begin'],
  ['between', 'enqueue', 'wait', 'wait'],
  ['between', 'interrupt', 'wait', 'wait'],
  ['opening', 'enqueue', 'remark', 'wait'],
  ['opening', 'merge', 'wait', 'wait'],
  ['opening', 'interrupt', 'wait', 'wait'],
  ['opening', 'reject', 'wait', 'wait'],
  ['turn', 'enqueue', 'remark', 'wait'],
  ['turn', 'merge', 'remark', 'wait'],
  ['turn', 'interrupt', 'interrupt', 'interrupt'],
  ['turn', 'reject', 'wait', 'wait'],
])(
  'a message in phase %s of a bot that says %s: %s, and %s when the room was told',
  (phase, doubleTexting, first, later) => {
    expect(decideWake({ phase, doubleTexting, busyRemarked: false })).toBe(first);
    expect(decideWake({ phase, doubleTexting, busyRemarked: true })).toBe(later);
  },
);

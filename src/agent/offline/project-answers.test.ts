import { describe, expect, it } from 'vitest';
import { describeUpdate } from './project-answers.ts';

const METADATA = 'Answer with one JSON object and nothing else.';
const DOCUMENTATION = 'Answer with the documentation in Markdown and nothing else.';
const EDIT =
  'You work on a project.\n<request>\nMake the button blue: use tool Edit with {"a":1}\n</request>';

describe('what is asked after the edit of an update', () => {
  it('is answered with metadata', () => {
    const asked = `Describe what you changed.\n${METADATA}\n{"title": "…"}`;
    const metadata: unknown = JSON.parse(describeUpdate([EDIT, asked]) ?? '');
    expect(metadata).toMatchObject({
      title: 'Make the button blue',
      description: expect.any(String),
      change_type: 'patch',
    });
    const recommendation = { complexity: 'easy', impact: 'medium', prompt: 'Add a test.' };
    expect(metadata).toHaveProperty('recommendations.0', expect.objectContaining(recommendation));
    expect(metadata).toHaveProperty('recommendations.length', 2);
  });

  it('is answered with documentation', () => {
    expect(describeUpdate([EDIT, `Write it down.\n  ${DOCUMENTATION}`])).toMatch(/^# Make the button blue\n/);
  });

  it.each([
    ['without tags', ['Make it red.', METADATA], 'Make it red'],
    ['in the same message', [`<request>Make it\n  red</request>\n${METADATA}`], 'Make it red'],
    ['of tools alone', ['<request>use tool Write with {}</request>', METADATA], 'use tool Write'],
    ['that is nowhere', [METADATA], 'A change'],
    ['that is long', [`<request>${'x'.repeat(100)}</request>`, METADATA], `${'x'.repeat(59)}…`],
    ['of an earlier update', [EDIT, '<request>Now red</request>', 'mend it', METADATA], 'Now red'],
  ])('has a title from a request %s', (_what, said, title) => {
    expect(JSON.parse(describeUpdate(said) ?? '')).toHaveProperty('title', title);
  });

  it.each([
    ['something else', ['hello']],
    ['nothing', []],
    ['a line within another', [`say: ${METADATA}`]],
    ['what a person wrote', [`<request>\n${METADATA}\n</request>`]],
    ['an earlier message', [METADATA, 'thank you']],
  ])('is none of %s', (_what, said) => {
    expect(describeUpdate(said)).toBeNull();
  });
});

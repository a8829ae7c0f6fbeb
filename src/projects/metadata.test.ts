import { describe, expect, it } from 'vitest';
import { parseDocumentation, parseMetadata } from './metadata.ts';

const recommendation = {
  title: 'Add a test',
  description: 'None covers the form.',
  category: 'tests',
  complexity: 'easy',
  impact: 'medium',
  prompt: 'Add a test for the form.',
};
const asked = {
  title: 'A contact form',
  description: 'Visitors can write.',
  change_type: 'minor',
  recommendations: [recommendation],
};

describe('what an agent says about a version', () => {
  it('A6 is taken, alone or between fences', () => {
    const described = {
      title: 'A contact form',
      description: 'Visitors can write.',
      changeType: 'minor',
      recommendations: [recommendation],
    };
    expect(parseMetadata(JSON.stringify(asked))).toEqual(described);
    expect(parseMetadata(`Here it is:\n\`\`\`json\n${JSON.stringify(asked)}\n\`\`\``)).toEqual(described);
  });

  it('A6 is kept to ten recommendations', () => {
    const many = { ...asked, recommendations: Array.from({ length: 12 }, () => recommendation) };
    expect(parseMetadata(JSON.stringify(many))?.recommendations).toHaveLength(10);
  });

  it.each([
    'I cannot say.',
    '{"title": ',
    JSON.stringify({ ...asked, recommendations: [] }),
    JSON.stringify({ ...asked, change_type: 'huge' }),
    JSON.stringify({ ...asked, title: ' ' }),
    JSON.stringify({ ...asked, recommendations: [{ ...recommendation, impact: 'vast' }] }),
  ])('C-12 is not taken when it is %s', (answer) => {
    expect(parseMetadata(answer)).toBeNull();
  });

  it('is documentation unless it is empty or endless', () => {
    expect(parseDocumentation(' # Title\n')).toBe('# Title');
    expect(parseDocumentation(' ')).toBeNull();
    expect(parseDocumentation('x'.repeat(200_001))).toBeNull();
  });
});

import { z } from 'zod';
import type { Recommendation, Version } from '../../projects/projects.ts';
import { toIso } from '../wire.ts';

const metadataState = z.enum(['pending', 'ready', 'partial', 'failed', 'skipped']);

export const versionBody = z.object({
  project_id: z.string(),
  no: z.int(),
  parent: z.int().nullable(),
  restored_from: z.int().nullable().describe('The version whose files it brought back'),
  update_id: z.int(),
  kind: z.enum(['update', 'restore', 'compact', 'import']),
  commit: z.string(),
  prompt: z.string().nullable(),
  changes: z.object({ files: z.int(), added: z.int(), removed: z.int() }),
  metadata: metadataState.describe(
    'What became of the words about it; the version itself is whole in any case',
  ),
  title: z.string().nullable(),
  description: z.string().nullable(),
  change_type: z.enum(['patch', 'minor', 'major']).nullable(),
  created_by: z.string(),
  created_at: z.iso.datetime(),
  links: z.object({
    self: z.string(),
    diff: z.string(),
    archive: z.string(),
    recommendations: z.string(),
    update: z.string(),
  }),
});

export const oneVersionBody = versionBody.extend({ documentation: z.string().nullable() });

export function toVersionBody(version: Version): z.input<typeof versionBody> {
  const { metadata } = version;
  const self = `/v1/projects/${version.projectId}/versions/${version.no}`;
  return {
    project_id: version.projectId,
    no: version.no,
    parent: version.parentNo,
    restored_from: version.restoredNo,
    update_id: version.updateId,
    kind: version.kind,
    commit: version.commit,
    prompt: version.prompt,
    changes: { ...version.changes },
    metadata: metadata.state,
    title: metadata.title,
    description: metadata.description,
    change_type: metadata.changeType,
    created_by: version.createdBy,
    created_at: toIso(version.createdAt),
    links: {
      self,
      diff: `${self}/diff`,
      archive: `${self}/archive`,
      recommendations: `${self}/recommendations`,
      update: `/v1/updates/${version.updateId}`,
    },
  };
}

export const recommendationsBody = z.object({
  state: metadataState,
  recommendations: z.array(
    z.object({
      title: z.string(),
      description: z.string(),
      category: z.string(),
      complexity: z.enum(['easy', 'medium', 'hard']),
      impact: z.enum(['low', 'medium', 'high']),
      prompt: z.string().describe('Good for the next update as it is'),
    }) satisfies z.ZodType<Recommendation>,
  ),
});

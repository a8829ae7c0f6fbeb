/** One version: what was asked for, what changed, and what could come next. */
import { titleOf } from './chain.js';
import { make } from './elements.js';
import { call } from './server.js';

/** `isWanted` says whether it is still the one to show once the server has answered. */
export async function showVersion(place, version, { isWanted, onPrompt, onRestore }) {
  const [one, diff, next] = await Promise.all([
    call('GET', version.links.self),
    call('GET', version.links.diff),
    call('GET', version.links.recommendations),
  ]);
  if (!isWanted() || !one.ok) return;
  const restore = make('button', { type: 'button', class: 'quiet', text: 'Restore this version' });
  restore.addEventListener('click', onRestore);
  const archive = make('a', { href: version.links.archive, text: 'Download its files' });
  place.replaceChildren(
    make('h3', { text: `Version ${version.no}: ${titleOf(version)}` }),
    make('p', {
      class: 'facts',
      text: `${version.created_at.replace('T', ' ').slice(0, 19)} · by ${version.created_by}`,
    }),
    ...paragraphs(one.body),
    make('p', { class: 'actions' }, restore, archive),
    ...(next.ok ? recommended(next.body, onPrompt) : []),
    ...(diff.ok ? [diffOf(diff.body)] : []),
  );
  place.hidden = false;
}

function paragraphs({ description, prompt, documentation }) {
  return [
    ...(description === null ? [] : [make('p', { text: description })]),
    ...(prompt === null ? [] : [make('blockquote', { text: prompt })]),
    ...(documentation === null
      ? []
      : [
          make(
            'details',
            {},
            make('summary', { text: 'Documentation' }),
            make('pre', { text: documentation }),
          ),
        ]),
  ];
}

function recommended({ state, recommendations }, onPrompt) {
  if (state === 'pending')
    return [make('p', { class: 'facts', text: 'What could come next is being written.' })];
  if (recommendations.length === 0) return [];
  const chips = recommendations.map(({ title, description, prompt }) => {
    const chip = make('button', { type: 'button', class: 'quiet', title: description, text: title });
    chip.addEventListener('click', () => onPrompt(prompt));
    return chip;
  });
  return [make('h4', { text: 'What could come next' }), make('div', { class: 'chips' }, ...chips)];
}

function diffOf({ diff, cut }) {
  const lines = diff
    .split('\n')
    .map((line) => make('span', { 'data-line': kindOf(line), text: `${line}\n` }));
  const more = cut ? make('p', { class: 'facts', text: 'The rest is left out: it is too long.' }) : '';
  return make(
    'details',
    { open: '' },
    make('summary', { text: 'What changed' }),
    make('pre', { class: 'diff' }, ...lines),
    more,
  );
}

function kindOf(line) {
  if (/^(diff|index|---|\+\+\+|new file|deleted file|similarity|rename) ?/.test(line)) return 'head';
  if (line.startsWith('@@')) return 'place';
  if (line.startsWith('+')) return 'added';
  return line.startsWith('-') ? 'removed' : 'same';
}

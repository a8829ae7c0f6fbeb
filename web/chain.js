/** The versions of a project as a chain, oldest first; each wears the colour of the session that made it. */
import { make } from './elements.js';

export function makeChain({ list, onChosen }) {
  let drawn = '';
  let chosen = null;

  function clear() {
    drawn = '';
    chosen = null;
    list.replaceChildren();
  }

  function mark() {
    for (const link of list.querySelectorAll('button'))
      link.setAttribute('aria-pressed', String(Number(link.dataset.no) === chosen));
  }

  return {
    clear,

    choose(no) {
      chosen = no;
      mark();
    },

    /** `byVersion`: version → the update that made it. Draws only what has changed, so that nothing jumps. */
    show(versions, byVersion) {
      const state = JSON.stringify(versions.map(({ no, title, metadata }) => [no, title, metadata]));
      if (state === drawn) return;
      drawn = state;
      list.replaceChildren(...versions.map((version) => link(version, byVersion.get(version.no), onChosen)));
      if (versions.length === 0) list.append(make('li', { class: 'none', text: 'No version yet.' }));
      list.scrollLeft = list.scrollWidth;
      mark();
    },
  };
}

function link(version, update, onChosen) {
  const { no, changes } = version;
  const made = madeBy(version, update);
  const button = make(
    'button',
    { type: 'button', class: 'version', 'data-made': made.kind, 'data-no': no },
    make('span', { class: 'no', text: `v${no}` }),
    make('span', { class: 'title', text: titleOf(version) }),
    make('span', { class: 'how', text: made.words }),
    make('span', { class: 'changes', text: changesOf(changes) }),
  );
  button.addEventListener('click', () => onChosen(version));
  return make('li', {}, button);
}

function changesOf({ files, added, removed }) {
  return `${files} ${files === 1 ? 'file' : 'files'}  +${added} −${removed}`;
}

export function titleOf({ restored_from: restored, title, prompt, kind }) {
  if (restored !== null) return `Restores v${restored}`;
  return title ?? prompt ?? (kind === 'import' ? 'Imported' : kind);
}

function madeBy({ kind, restored_from: restored }, update) {
  if (kind === 'import') return { kind: 'other', words: 'import' };
  if (restored !== null) return { kind: 'other', words: 'restore' };
  const decision = update?.resume.decision;
  if (update?.resume.outcome === 'fell-back') return { kind: 'fresh', words: 'fell back' };
  if (decision === 'resume') return { kind: 'resume', words: 'resumed' };
  const reason = update?.resume.reason;
  return { kind: 'fresh', words: reason ? `fresh: ${reason.replaceAll('_', ' ')}` : 'fresh' };
}

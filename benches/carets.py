"""Random carets in real lines, and how often the rest of the line is right: python3 benches/carets.py [N].

Lines come from crates in the local registry that were held out of the built-in model's training (by the rule in
model/README.md), from the Python standard library and from tests/fixtures/project. Runs target/release/keyside.
"""
import glob, hashlib, json, os, random, re, subprocess, sys, sysconfig

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROJECT = os.path.join(ROOT, 'tests', 'fixtures', 'project')
KEYSIDE = os.environ.get('KEYSIDE', os.path.join(ROOT, 'target', 'release', 'keyside'))


def held_out(package):
    return hashlib.md5(('h' + package).encode()).digest()[0] < 8


def files():
    found = {'rust': [], 'python': []}
    for folder in sorted(glob.glob(os.path.expanduser('~/.cargo/registry/src/*/*'))):
        name = re.match(r'(.*?)-\d', os.path.basename(folder))
        if name and held_out(name.group(1)):
            found['rust'] += [(f, os.path.relpath(f, folder)) for f in glob.glob(folder + '/**/*.rs', recursive=True)]
    found['rust'] += [(f, os.path.relpath(f, PROJECT)) for f in sorted(glob.glob(PROJECT + '/**/*.rs', recursive=True))]
    library = sysconfig.get_paths()['stdlib']
    for f in sorted(glob.glob(library + '/*.py') + glob.glob(library + '/[a-z]*/*.py')):
        if not re.search(r'site-packages|test|idlelib|lib2to3', f):
            found['python'].append((f, os.path.relpath(f, library)))
    return found


def cases(n_cases):
    pick = random.Random(7)
    for language, paths in files().items():
        n = 0
        while n < n_cases:
            path, shown = pick.choice(paths)
            text = open(path, encoding='utf-8', errors='replace').read()
            lines = text.split('\n')
            if len(text) < 500 or len(lines) < 5:
                continue
            at = pick.randrange(3, len(lines))
            line = lines[at].rstrip()
            indent = len(line) - len(line.lstrip())
            if len(line.strip()) < 4:
                continue
            column = pick.randrange(indent, len(line))
            yield {'id': f'{language}-{n}', 'path': shown, 'prefix': '\n'.join(lines[:at] + [line[:column]]),
                   'suffix': '\n' + '\n'.join(lines[at + 1:]), 'rest': line[column:]}
            n += 1


def answers(all_cases, *flags):
    questions = '\n'.join(json.dumps(case) for case in all_cases)
    out = subprocess.run([KEYSIDE, 'complete', '--batch', *flags], input=questions, capture_output=True, text=True, check=True)
    return [json.loads(line)['completion'].split('\n')[0].rstrip() for line in out.stdout.splitlines()]


def main():
    n_cases = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    all_cases = list(cases(n_cases))
    asked, typed = answers(all_cases), answers(all_cases, '--automatic')
    for language in ('rust', 'python'):
        rows = [(c['rest'], a, t) for c, a, t in zip(all_cases, asked, typed) if c['id'].startswith(language)]
        exact = sum(rest == asked for rest, asked, _ in rows)
        shown = [(rest, text) for rest, _, text in rows if text]
        right = [text for rest, text in shown if rest.startswith(text)]
        spared = sum(len(text) - 1 for text in right) / sum(len(rest) for rest, _, _ in rows)
        print(f'{language}: {len(rows)} carets; asked for: rest of the line right {exact / len(rows):.1%}; while typing: '
              f'shown {len(shown) / len(rows):.1%}, right {len(right) / max(1, len(shown)):.1%}, spared {spared:.1%}')


if __name__ == '__main__':
    main()

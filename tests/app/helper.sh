#!/bin/sh
# helper.sh ALTGRAD PYTHON: what a helper of `altgrad run` answers: JSON, one object per line, of
# which the last tells the status. Nothing goes to standard error, whatever is asked.
set -u
altgrad=$1
python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"

# ask WORK JSON: the answer is left in the file answer
ask() {
    printf '%s' "$2" | "$altgrad" helper "$1" 3> answer > output 2> log
    got=$?
    [ "$got" = 0 ] || complain "helper $1: exit code $got"
    [ -s log ] && complain "helper $1 writes to standard error"
}
# answers EXPRESSION over `lines`, the objects, and `f`, the open results
answers() {
    "$python" -c "import h5py, json, sys; f = h5py.File('out.h5')
lines = [json.loads(line) for line in open('answer')]; sys.exit(not ($1))" > log 2>&1 ||
        { cat answer >> log && complain "not so: $1"; }
}
ok="lines[-1] == {'status': 'ok', 'message': ''}"

few "formats: [BF16, E4M3]" "seeds: 2"
sed 's/^name: .*/name: '"'few \"quoted\"'"'/' few.yaml > named.yaml
expect 0 "$altgrad" run named.yaml -o out.h5 --progress none
ask holdings '{"out": "out.h5"}'
answers "$ok and len(lines) == 2 and set(lines[0]['value']) == set(f['runs'])"
ask former '{"out": "out.h5"}'
answers "$ok and lines[0]['value']['experiment'] == 'few \"quoted\"'"
answers "{r['id'] for r in lines[0]['value']['runs']} == set(f['runs'])"
answers "all(r['state'] == 'done' for r in lines[0]['value']['runs'])"
answers "'E4M3 seed=1' in [r['name'] for r in lines[0]['value']['runs']]"
ask summary '{"out": "out.h5"}'
answers "lines == [{'status': 'ok', 'message': ''}]"
grep -q '^layers' output || complain "no summary on standard output"

# a warning comes before the status, a failure with its kind and its message
ask less '{"file": "named.yaml", "out": "out.h5", "sets": ["eval.every=1"], "only": []}'
answers "$ok and len(lines) == 2 and 'recorded less' in lines[0]['warning']"
ask former '{"out": "gone.h5"}'
answers "len(lines) == 1 and lines[0]['status'] != 'ok' and 'gone.h5' in lines[0]['message']"
ask pack '{"out": "named.yaml", "token": "x"}'
answers "lines[-1]['status'] == 'input' and 'experiment' in lines[-1]['message']"
ask holdings '{"out"'
answers "lines[-1]['status'] == 'bug' and 'no JSON' in lines[-1]['message']"
ask holdings '{"path": "out.h5"}'
answers "lines[-1]['status'] == 'bug' and \"'out'\" in lines[-1]['message']"
expect 2 "$altgrad" helper
expect 2 "$altgrad" helper dance
expect 2 "$altgrad" helper holdings 3>&-

# a helper that dies without a word, and one whose last line is cut, are failures that are told
mkdir bin
cp "$altgrad" bin/real
cp "$(dirname "$altgrad")/altgrad-train" bin/
cat > bin/altgrad << END
#!/bin/sh
[ "\$2" != prepare ] || { . ./deed; exit; }
exec bin/real "\$@"
END
chmod +x bin/altgrad
echo 'kill -SEGV $$' > deed
expect 3 bin/real run few.yaml -o new.h5 --progress none
says "altgrad: error: a child process of altgrad was killed by SIGSEGV"
echo 'printf "{\"status\": \"ok\"" >&3' > deed
expect 3 bin/real run few.yaml -o new.h5 --progress none
says "altgrad: error: a child process of altgrad ended with exit code 0"
sum_up

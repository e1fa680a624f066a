//! How fast secrets are looked for: `cargo bench --bench redact [-- FOLDER]`.
//!
//! Reads source files below the folder (by default the frozen ones of the tests and, where they are, the sources
//! that cargo has of its dependencies), at most 8 MB, and prints the first use, the speed when warm beside
//! that of a single regex over the same bytes, and what the rules take of memory. Then texts that are made to
//! take long, in seconds a MB, the slowest first.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyside::privacy::placeholders::Placeholders;
use keyside::privacy::redact::Redactor;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

const MOST_BYTES: usize = 8_000_000;
const MOST_BYTES_OF_A_FILE: usize = 200_000;
const ROUNDS: usize = 5;
const ENDINGS: &[&str] =
    &["rs", "c", "cpp", "h", "py", "js", "ts", "sh", "toml", "json", "yml", "md"];

/// The rules themselves, which hold every keyword.
const RULES: &[&str] = &["keyside.toml"];
/// What no text may take, in seconds a MB.
const MOST_SECONDS_A_MB: f64 = 0.5;
const ODD_BYTES: usize = 1_000_000;
/// Pieces of which a text is nothing but repetitions.
const ODD_PIECES: &[&str] = &[
    "eyJ",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJa.eyJ",
    "password",
    "password=",
    "password=\"",
    "password='",
    "password=\\\"",
    "password: ",
    "password:\n",
    "password: |\n ",
    "\"password\",",
    "\"password\":",
    "password,",
    "password[",
    "password=[\"a\",",
    "password=(\"",
    "password=q{",
    "password=[[",
    "password=\"\"\"",
    "password=`",
    "password = x.y(",
    "<password>",
    "<password ",
    "password=\"a\" + ",
    "name: password\n",
    "name=password ",
    "key: password\nvalue: ",
    "value: a\nname: password\n",
    "login(",
    "login(\"a\",",
    "connect(connect(",
    "mysql -p",
    "mysql -p -p ",
    "curl ",
    "curl -u a:",
    "://",
    "://a:b@",
    "cookie: a=b; ",
    "Authorization: ",
    "bearer ",
    "x-api-key",
    "-----BEGIN ",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----",
    "sk-",
    "ghp_",
    "aws = ",
    "datadog:",
    "kind: Secret\n",
    "insert into a (password) values ",
    "(password,password)",
    "a,password\n",
    "|password|",
    "\\\"",
    "\"'`",
    "((((",
    "\u{1F170}password=",
    "пароль=",
    "密码:",
    "identified by ",
    "AAAAAAAAAAAAAAAA",
    "echo a | ",
    "password is ",
    "password string = ",
    "--password ",
    "ENV PASSWORD ",
    "variable \"password\" {\n",
    "_auth=",
    "password=a b=c ",
    "{password: ",
    "a=password&",
    "token:token:",
    "key_auth.api-",
    "  password:\n",
    // Found by a search for texts that take long: words at random, changed where that took longer.
    "kdes_keyypasword:",
    "//password: `",
    "=>é-----\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"BEGIN secretrsa_keytokenBasicAuth(",
    "password=keykeykeykeykeykeykeykeykeykey",
    "dnkey-dnkey-dnkey-dnkey-dnkey-password=",
    "00DGOCSPX-nfp_shppa_password=IBADANBgkqhkiG9w0BAQEFAASCsegreto",
    "cryptsetup astlo((((((k合言葉合言葉合言葉合言葉合言葉合言葉",
    "password=\"auth\"kennwortkennwortw_authtoken = _authtoken = ",
    "ApiKeyAuth(ApiKeyAuth(ApiKeyAuth(secretrd=sevaluecretNRII-hapikey = ",
    "duffelpassword=password==_паролиhmac_keybw_ = bitbdefaultdefaultapi_key ",
    "setAuth(setAuth(setAuth(llave_privada: password=value:",
    "name,password,token,secret,api_key,pin,password\n",
    "(name, password, token, secret, api_key, pin, password, ",
    "password=[\"password=\",\"password=\",",
    "password: |\n  password: |\n    password: |\n      password: |\n",
];
/// Pieces between which stand some characters of base64.
const ODD_HEADS: &[&str] =
    &["", "\n", "password=", "password=\"", "token: ", "password=[\"", "token", "\\n\" +\n\""];

fn main() {
    let folders: Vec<PathBuf> =
        std::env::args().skip(1).filter(|it| !it.starts_with("--")).map(PathBuf::from).collect();
    let folders = if folders.is_empty() { usual_folders() } else { folders };
    let mut files = Vec::new();
    for folder in &folders {
        read(folder, &mut files);
    }
    let n_bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    let n_lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
    println!("{} files, {n_bytes} bytes, {n_lines} lines", files.len());
    if n_bytes < 1_000_000 {
        println!("less than 1 MB; name a folder with more");
        return;
    }

    let before = resident_kib();
    let start = Instant::now();
    let redactor = Redactor::shared();
    println!("reading the rules:        {:8.2} ms", ms(start.elapsed()));
    let start = Instant::now();
    redactor.find("fn main() { let api_key = read_token(); }", Some("src/main.rs"));
    println!("the first short text:     {:8.2} ms", ms(start.elapsed()));
    let read_only = resident_kib();

    let start = Instant::now();
    let n_findings: usize =
        files.iter().map(|(path, text)| redactor.find(text, Some(path)).len()).sum();
    report("the first pass:", start.elapsed(), n_bytes);
    let after = resident_kib();
    let warm =
        least(|| files.iter().map(|(path, text)| redactor.find(text, Some(path)).len()).sum());
    report("warm:", warm, n_bytes);
    let placed = least(|| {
        let redact = |(path, text): &(String, String)| {
            Placeholders::new().redact(redactor, text, Some(path)).0.len()
        };
        files.iter().map(redact).sum()
    });
    report("warm, and redacted:", placed, n_bytes);
    let single = Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(r#"(?i)\b[a-z_]*password\s*[:=]\s*"[^"]+""#)
        .expect("it compiles");
    let one = least(|| files.iter().map(|(_, text)| single.find_iter(text).count()).sum());
    report("one regex, as a baseline:", one, n_bytes);
    println!("ratio of warm to one regex: {:.2}", warm.as_secs_f64() / one.as_secs_f64());
    let (compiled, all) = redactor.n_compiled();
    println!("{n_findings} findings; {compiled} of {all} rules compiled");
    for name in RULES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/privacy").join(name);
        redactor.find(&std::fs::read_to_string(path).unwrap_or_default(), None);
    }
    let with_all = resident_kib();
    report_odd_texts(redactor);
    if let (Some(before), Some(read_only), Some(after), Some(with_all)) =
        (before, read_only, after, with_all)
    {
        println!(
            "memory: {} KiB for the rules as text and their keywords, {} KiB with those of these files \
             compiled, {} KiB with {} compiled",
            read_only.saturating_sub(before),
            after.saturating_sub(before),
            with_all.saturating_sub(before),
            redactor.n_compiled().0
        );
    }
}

/// Texts that are made to take long, each redacted as a file of code, of settings, of commands, of a table and
/// without a name.
fn report_odd_texts(redactor: &Redactor) {
    let mut texts: Vec<(String, String)> = Vec::new();
    for piece in ODD_PIECES {
        texts.push((format!("{piece:?}"), piece.repeat(ODD_BYTES / piece.len())));
    }
    let mut state = 1_u64;
    let mut base64 = |n: usize| -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(ALPHABET[(state >> 33) as usize % ALPHABET.len()])
        };
        (0..n).map(next).collect()
    };
    for head in ODD_HEADS {
        for n in [9, 40, 64, ODD_BYTES] {
            let mut text = String::new();
            while text.len() < ODD_BYTES {
                text.push_str(head);
                text.push_str(&base64(n));
            }
            texts.push((format!("{head:?} and {n} of base64"), text));
        }
    }
    let mut took = Vec::new();
    for (name, text) in &texts {
        for path in [None, Some("a.py"), Some("a.yaml"), Some("a.sh"), Some("a.csv")] {
            let start = Instant::now();
            let n_findings = Placeholders::new().redact(redactor, text, path).1.len();
            let seconds_a_mb = start.elapsed().as_secs_f64() * 1e6 / text.len() as f64;
            took.push((seconds_a_mb, format!("{name} in {path:?}: {n_findings} findings")));
        }
    }
    took.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (seconds_a_mb, name) in took.iter().take(10) {
        println!("{seconds_a_mb:.3} s/MB {name}");
    }
    let n_slow = took.iter().filter(|it| it.0 > MOST_SECONDS_A_MB).count();
    println!("{n_slow} of {} odd texts take more than {MOST_SECONDS_A_MB} s/MB", took.len());
}

fn report(what: &str, took: Duration, n_bytes: usize) {
    println!(
        "{what:<25} {:8.2} ms, {:6.1} MB/s",
        ms(took),
        n_bytes as f64 / 1e6 / took.as_secs_f64()
    );
}

/// The shortest of some rounds.
fn least(round: impl Fn() -> usize) -> Duration {
    let timed = |_| {
        let start = Instant::now();
        std::hint::black_box(round());
        start.elapsed()
    };
    (0..ROUNDS).map(timed).min().unwrap_or_default()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn usual_folders() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/project")];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    folders.extend(home.map(|it| it.join("registry/src")));
    folders
}

fn read(path: &Path, into: &mut Vec<(String, String)>) {
    if into.iter().map(|(_, text)| text.len()).sum::<usize>() >= MOST_BYTES {
        return;
    }
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|it| it.path()).collect();
        paths.sort();
        for path in paths {
            read(&path, into);
        }
        return;
    }
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !ENDINGS.contains(&&ending[..]) || RULES.contains(&&name[..]) {
        return;
    }
    if let Ok(text) = std::fs::read_to_string(path)
        && text.len() <= MOST_BYTES_OF_A_FILE
    {
        into.push((path.to_string_lossy().into_owned(), text));
    }
}

/// The memory of this process that is in RAM, where the system says.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

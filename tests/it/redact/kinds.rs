//! Kinds of secrets, written from what vendors document of their formats and from what files with passwords
//! look like, and a generator that makes instances of them.
//!
//! A form is literal text with `<24w>` for 24 characters of the class `w`, and `«` and `»` around the secret
//! where the form is a whole snippet. So there is no secret in this file, and no scanner takes it for a leak.

/// Where a secret of a kind may stand.
#[derive(Clone, Copy)]
pub enum Place {
    /// Anywhere: it can be told by itself.
    Anywhere,
    /// As the value of something with one of these names, in words with underscores.
    Named(&'static [&'static str]),
    /// In the snippet that its form is.
    Snippet,
}

use Place::{Anywhere, Named, Snippet};

/// A name, where it stands, and its form.
pub type Kind = (&'static str, Place, &'static str);

pub const KINDS: &[Kind] = &[
    ("AWS access key id", Anywhere, "AKIA<162>"),
    ("AWS temporary key id", Anywhere, "ASIA<162>"),
    ("AWS secret key", Named(&["aws_secret_access_key", "secret_access_key"]), "<40b>"),
    ("AWS session token", Named(&["aws_session_token"]), "IQoJb3JpZ2lu<220b>=="),
    ("GitHub token", Anywhere, "ghp_<36w>"),
    ("GitHub OAuth token", Anywhere, "gho_<36w>"),
    ("GitHub app token", Anywhere, "ghs_<36w>"),
    ("GitHub fine-grained token", Anywhere, "github_pat_<22w>_<59w>"),
    ("GitLab token", Anywhere, "glpat-<20s>"),
    ("GitLab deploy token", Anywhere, "gldt-<20s>"),
    ("GitLab runner token", Anywhere, "glrt-<20s>"),
    ("Slack bot token", Anywhere, "xoxb-<12d>-<12d>-<24w>"),
    ("Slack user token", Anywhere, "xoxp-<12d>-<12d>-<12d>-<32h>"),
    ("Slack app token", Anywhere, "xapp-1-A<10u>-<13d>-<64h>"),
    ("Slack webhook", Anywhere, "https://hooks.slack.com/services/«T<8u>/B<8u>/<24w>»"),
    ("Discord webhook", Anywhere, "https://discord.com/api/webhooks/«<18d>/<68s>»"),
    ("Discord bot token", Named(&["discord_token", "bot_token"]), "MT<22w>.<6w>.<38s>"),
    ("Stripe secret key", Anywhere, "sk_live_<24w>"),
    ("Stripe restricted key", Anywhere, "rk_live_<24w>"),
    ("Stripe webhook secret", Anywhere, "whsec_<32w>"),
    ("Google API key", Anywhere, "AIza<35s>"),
    ("Google OAuth client secret", Anywhere, "GOCSPX-<28s>"),
    ("Google access token", Anywhere, "ya29.<120s>"),
    ("OpenAI key", Anywhere, "sk-<20w>T3BlbkFJ<20w>"),
    ("OpenAI project key", Anywhere, "sk-proj-<74s>T3BlbkFJ<74s>"),
    ("Anthropic key", Anywhere, "sk-ant-api03-<93s>AA"),
    ("OpenRouter key", Anywhere, "sk-or-v1-<64h>"),
    ("Groq key", Anywhere, "gsk_<52w>"),
    ("xAI key", Anywhere, "xai-<80w>"),
    ("Replicate token", Anywhere, "r8_<37w>"),
    ("Perplexity key", Anywhere, "pplx-<48w>"),
    ("Hugging Face token", Anywhere, "hf_<34a>"),
    ("SendGrid key", Anywhere, "SG.<22s>.<43s>"),
    ("Twilio key", Anywhere, "SK<32h>"),
    ("Twilio auth token", Named(&["twilio_auth_token"]), "<32h>"),
    ("Mailgun key", Anywhere, "key-<32h>"),
    ("Mailchimp key", Named(&["mailchimp_api_key"]), "<32h>-us12"),
    ("npm token", Anywhere, "npm_<36w>"),
    ("PyPI token", Anywhere, "pypi-AgEIcHlwaS5vcmc<120s>"),
    ("RubyGems key", Anywhere, "rubygems_<48h>"),
    ("DigitalOcean token", Anywhere, "dop_v1_<64h>"),
    ("Shopify token", Anywhere, "shpat_<32h>"),
    ("Square token", Anywhere, "sq0atp-<22s>"),
    ("Telegram bot token", Anywhere, "<10d>:AA<33s>"),
    ("Heroku key", Named(&["heroku_api_key"]), "<8h>-<4h>-4<3h>-a<3h>-<12h>"),
    ("Datadog key", Named(&["datadog_api_key", "dd_api_key"]), "<32h>"),
    ("New Relic key", Anywhere, "NRAK-<27u>"),
    ("Linear key", Anywhere, "lin_api_<40w>"),
    ("Notion token", Anywhere, "ntn_<11d><35w>"),
    ("Figma token", Anywhere, "figd_<40s>"),
    ("Databricks token", Anywhere, "dapi<32h>"),
    ("Vault token", Anywhere, "hvs.<95s>"),
    ("Terraform token", Anywhere, "<14w>.atlasv1.<67s>"),
    ("Doppler token", Anywhere, "dp.pt.<43w>"),
    ("Grafana token", Anywhere, "glsa_<32w>_<8h>"),
    ("Sentry token", Anywhere, "sntryu_<64h>"),
    ("Postman key", Anywhere, "PMAK-<24h>-<34h>"),
    ("PlanetScale token", Anywhere, "pscale_tkn_<43s>"),
    ("Supabase token", Anywhere, "sbp_<40h>"),
    ("Docker Hub token", Anywhere, "dckr_pat_<27s>"),
    ("Tailscale key", Anywhere, "tskey-auth-k<11w>CNTRL-<32w>"),
    ("age key", Anywhere, "AGE-SECRET-KEY-1<58B>"),
    ("Airtable token", Named(&["airtable_token"]), "pat<14w>.<64h>"),
    ("Atlassian token", Anywhere, "ATATT3<186s>"),
    ("Bitbucket app password", Anywhere, "ATBB<32w>"),
    ("CircleCI token", Anywhere, "CCIPAT_<22w>_<40h>"),
    ("Buildkite token", Anywhere, "bkua_<40h>"),
    ("Okta token", Named(&["okta_api_token"]), "00<40s>"),
    ("Fastly token", Named(&["fastly_api_token"]), "<32s>"),
    ("Cloudflare token", Named(&["cloudflare_api_token"]), "<40s>"),
    ("Dynatrace token", Anywhere, "dt0c01.<24u>.<64u>"),
    ("EasyPost key", Anywhere, "EZAK<54w>"),
    ("Adobe client secret", Anywhere, "p8e-<32w>"),
    ("1Password secret key", Anywhere, "A3-<6u>-<6u>-<5u>-<5u>-<5u>-<5u>"),
    ("Alibaba key id", Anywhere, "LTAI<20w>"),
    ("Artifactory key", Anywhere, "AKCp<69w>"),
    ("Pulumi token", Anywhere, "pul-<40h>"),
    ("Prefect token", Anywhere, "pnu_<36w>"),
    ("LangSmith key", Anywhere, "lsv2_pt_<32h>_<10h>"),
    ("Pinecone key", Anywhere, "pcsk_<66w>"),
    ("Sonar token", Named(&["sonar_token"]), "sqp_<40h>"),
    ("JWT", Anywhere, "eyJhbGciOiJIUzI1NiJ9.eyJ<60s>.<43s>"),
    ("Azure client secret", Anywhere, "<3w>8Q~<34s>"),
    ("WireGuard key", Snippet, "[Interface]\nPrivateKey = «<43b>=»"),
    ("Django secret", Named(&["secret_key"]), "django-insecure-<50p>"),
    ("Rails secret", Named(&["secret_key_base"]), "<128h>"),
    ("Laravel key", Snippet, "APP_KEY=base64:«<43b>=»"),
    ("JWT secret", Named(&["jwt_secret", "token_secret"]), "<48w>"),
    ("password with symbols", Named(&["password", "db_password", "smtp_passwd"]), "<3w><14p>"),
    ("password of letters and digits", Named(&["password", "admin_password"]), "<6a><4d><4a>"),
    ("API key", Named(&["api_key", "client_secret", "access_token"]), "<40w>"),
    ("encryption key", Named(&["encryption_key", "signing_key"]), "<64h>"),
    (
        "RSA private key",
        Snippet,
        "«-----BEGIN RSA PRIVATE KEY-----\n<25L>-----END RSA PRIVATE KEY-----»",
    ),
    (
        "PKCS#8 private key",
        Snippet,
        "«-----BEGIN PRIVATE KEY-----\n<26L>-----END PRIVATE KEY-----»",
    ),
    (
        "EC private key",
        Snippet,
        "«-----BEGIN EC PRIVATE KEY-----\n<3L>-----END EC PRIVATE KEY-----»",
    ),
    (
        "OpenSSH private key",
        Snippet,
        "KEY='«-----BEGIN OPENSSH PRIVATE KEY-----\n<6L>-----END OPENSSH PRIVATE KEY-----»'",
    ),
    (
        "encrypted private key",
        Snippet,
        "«-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,<32H>\n\n<25L>-----END RSA PRIVATE KEY-----»",
    ),
    (
        "PGP private key",
        Snippet,
        "«-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n<30L>=<4w>\n-----END PGP PRIVATE KEY BLOCK-----»",
    ),
    (
        "private key in JSON",
        Snippet,
        "{\"private_key\": \"«-----BEGIN PRIVATE KEY-----\\n<26J>-----END PRIVATE KEY-----»\\n\"}",
    ),
    ("private key without its end", Snippet, "«-----BEGIN RSA PRIVATE KEY-----\n<9M>»"),
    (
        "private key in comments",
        Snippet,
        "/// «-----BEGIN PRIVATE KEY-----\n/// <8C>-----END PRIVATE KEY-----»",
    ),
    (
        "private key in a continued string",
        Snippet,
        "k = \"«-----BEGIN EC PRIVATE KEY-----\\n\\\n<5N>-----END EC PRIVATE KEY-----»\";",
    ),
    ("private key's end in comments", Snippet, "    # «<5K>-----END PRIVATE KEY-----»"),
    ("private key without its head", Snippet, "«<9L>-----END RSA PRIVATE KEY-----»"),
    (
        "Azure storage key",
        Snippet,
        "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=«<86b>==»;EndpointSuffix=core.windows.net",
    ),
    ("Azure SAS", Snippet, "https://acc.blob.core.windows.net/c?sv=2022-11-02&sp=r&sig=«<43w>%3D»"),
    ("Postgres URL", Snippet, "url = \"postgres://app:«<12w>»@db.internal:5432/app\""),
    ("MySQL URL", Snippet, "DATABASE_URL=mysql://root:«<6w>!<6w>»@10.0.0.5/app"),
    ("MongoDB URL", Snippet, "mongodb+srv://svc:«<16w>»@cluster0.ab1cd.mongodb.net/x"),
    ("Redis URL", Snippet, "redis://:«<20w>»@cache:6379/0"),
    ("AMQP URL", Snippet, "'amqp://worker:«<10w>»@mq:5672/%2f'"),
    ("token in a git URL", Snippet, "git clone https://x-access-token:«<36w>»@github.com/a/b.git"),
    (
        "ADO connection string",
        Snippet,
        "\"Server=db;Database=x;User Id=sa;Password=«<4w>!<8w>»;Encrypt=true\"",
    ),
    ("bearer header", Snippet, "Authorization: Bearer «<40w>»"),
    ("bearer header in code", Snippet, ".header(\"Authorization\", \"Bearer «<48s>»\")"),
    ("basic header", Snippet, "\"Authorization\": \"Basic «<28w>==»\""),
    ("API key header", Snippet, "headers['X-Api-Key'] = '«<32w>»'"),
    ("curl with a user", Snippet, "curl -u admin:«<14w>» https://example.org/"),
    ("curl with a header", Snippet, "curl -H 'Authorization: Bearer «<40w>»' https://example.org/"),
    ("session cookie", Snippet, "Cookie: theme=dark; sessionid=«<32l>»"),
    ("npmrc", Snippet, "//npm.example.com/:_authToken=«<36h>»"),
    ("netrc", Snippet, "machine api.example.org login deploy password «<14w>»"),
    ("Docker config", Snippet, "{\"auths\": {\"r.example.org\": {\"auth\": \"«<40w>»\"}}}"),
    ("command line", Snippet, "mysqldump --password=«<12w>» --all-databases"),
    ("password variable of a command", Snippet, "PGPASSWORD=«<14w>» psql -h db"),
    ("XML", Snippet, "<server><password>«<6w>!<8w>»</password></server>"),
    ("SQL", Snippet, "CREATE USER app IDENTIFIED BY '«<6w>#<8w>»';"),
    ("access token in a URL", Snippet, "GET /v1/me?access_token=«<40w>»&fields=id"),
    ("typed constant", Snippet, "const ADMIN_PASSWORD: &str = \"«<5w>$<8w>»\";"),
    (
        "default of a variable",
        Snippet,
        "password = os.environ.get(\"DB_PASSWORD\", \"«<4w>-<9w>»\")",
    ),
    ("a call", Snippet, "client.set_password(\"«<12w>»\");"),
];

/// Lines that hold a secret of its own form: `@` is the secret.
pub const LINES: &[&str] = &[
    "let client = Client::connect(\"@\")?;",
    "    x = '@'",
    "const it = `@`;",
    "// it was @ before",
    "# @",
    "value: @",
    "  \"value\": \"@\",",
    "value = \"@\"",
    "export IT=@",
    "IT=@",
    "https://example.org/cb?it=@&next=1",
    "<it>@</it>",
    "    call(\"@\", 3);",
    "\t\"--it\", \"@\",",
];

/// Lines that hold a named secret: `#` is the name, `%` the name in capitals, `^` in camel case.
pub const NAMED_LINES: &[&str] = &[
    "let # = \"@\";",
    "const %: &str = \"@\";",
    "    # = '@'",
    "  ^: \"@\",",
    "  \"#\": \"@\",",
    "# = \"@\"",
    "%=@",
    "export %=@",
    "#: @",
    "    #: \"@\"",
    "// # = \"@\"",
    "config[\"#\"] = \"@\";",
    "std::env::set_var(\"%\", \"@\");",
];

/// Instances of forms, the same in every run.
pub struct Random(keyside::stdx::random::Random);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(keyside::stdx::random::Random::new(seed))
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    pub fn of<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.below(among.len())]
    }

    fn characters(&mut self, n: usize, class: char) -> String {
        const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
        const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const DIGITS: &str = "0123456789";
        let alphabet = match class {
            'w' => format!("{LOWER}{UPPER}{DIGITS}"),
            'l' => format!("{LOWER}{DIGITS}"),
            'u' => format!("{UPPER}{DIGITS}"),
            'a' => format!("{LOWER}{UPPER}"),
            'd' => DIGITS.to_owned(),
            'h' => format!("abcdef{DIGITS}"),
            'H' => format!("ABCDEF{DIGITS}"),
            'b' => format!("{LOWER}{UPPER}{DIGITS}+/"),
            's' => format!("{LOWER}{UPPER}{DIGITS}-_"),
            '2' => format!("{UPPER}234567"),
            'B' => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
            'p' => format!("{LOWER}{UPPER}{DIGITS}!@#%^*-_+=~."),
            _ => panic!("no class {class}"),
        };
        let alphabet = alphabet.as_bytes();
        // A token ends with a letter or a digit, or what stands behind it in a file would go on it.
        let mut text: Vec<u8> = (0..n).map(|_| alphabet[self.below(alphabet.len())]).collect();
        if let Some(last) = text.last_mut() {
            while !last.is_ascii_alphanumeric() {
                *last = alphabet[self.below(alphabet.len())];
            }
        }
        String::from_utf8(text).unwrap()
    }

    /// An instance of a form: the text and the secret in it.
    pub fn instance(&mut self, form: &str) -> (String, String) {
        let mut text = String::new();
        let mut rest = form;
        while let Some(start) = rest.find('<') {
            let (before, after) = rest.split_at(start);
            text.push_str(before);
            rest = &after[1..];
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // `<162>`: the last digit is the class of base 32.
            let (n, class) = match rest[digits.len()..].chars().next() {
                Some('>') if digits.len() > 1 => digits.split_at(digits.len() - 1),
                Some(class) if !digits.is_empty() => {
                    (&digits[..], &rest[digits.len()..][..class.len_utf8()])
                }
                _ => {
                    text.push('<');
                    continue;
                }
            };
            let n: usize = n.parse().unwrap();
            let lines = |line_break: &str, random: &mut Self| -> String {
                (0..n).map(|_| random.characters(64, 'b') + line_break).collect()
            };
            match class {
                "L" => text.push_str(&lines("\n", self)),
                "J" => text.push_str(&lines("\\n", self)),
                "C" => text.push_str(&lines("\n/// ", self)),
                "N" => text.push_str(&lines("\\n\\\n", self)),
                "K" => text.push_str(&lines("\n    # ", self)),
                "M" => text.push_str(lines("\n", self).trim_end()),
                class => text.push_str(&self.characters(n, class.chars().next().unwrap())),
            }
            rest = rest.split_once('>').unwrap().1;
        }
        text.push_str(rest);
        match text.split_once('«') {
            Some((before, after)) => {
                let (secret, behind) = after.split_once('»').unwrap();
                (format!("{before}{secret}{behind}"), secret.to_owned())
            }
            None => (text.clone(), text),
        }
    }
}

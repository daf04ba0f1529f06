//! Crawlers of search engines that can be verified, and what a client says to be.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::address::Address;

/// A crawler whose operator documents how to tell it from those who only use its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crawler {
    /// <https://developers.google.com/search/docs/crawling-indexing/verifying-googlebot>. Its third domain,
    /// `googleusercontent.com`, is left out: everybody who rents a machine there has a name in it.
    Google,
    /// <https://www.bing.com/webmasters/help/how-to-verify-bingbot-3905dc26>
    Bing,
    /// <https://support.apple.com/en-us/119829>
    Apple,
    /// <https://yandex.com/support/webmaster/robot-workings/check-yandex-robots.html>
    Yandex,
    /// <https://duckduckgo.com/duckduckgo-help-pages/results/duckduckbot>: known by its ranges alone.
    DuckDuckGo,
    /// <https://help.baidu.com/question?prod_id=99&class=476&id=2996>
    Baidu,
    /// <https://napoveda.seznam.cz/en/seznambot-crawler>
    Seznam,
    /// <https://www.mojeek.com/bot.html>
    Mojeek,
    /// <http://www.ysearchblog.com/2007/06/05/yahoo-search-crawler-slurp-has-a-new-address-and-signature-card/>
    Yahoo,
}

impl Crawler {
    /// Every crawler.
    pub const ALL: [Self; 9] = [
        Self::Google,
        Self::Bing,
        Self::Apple,
        Self::Yandex,
        Self::DuckDuckGo,
        Self::Baidu,
        Self::Seznam,
        Self::Mojeek,
        Self::Yahoo,
    ];

    /// As the configuration names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Bing => "bing",
            Self::Apple => "apple",
            Self::Yandex => "yandex",
            Self::DuckDuckGo => "duckduckgo",
            Self::Baidu => "baidu",
            Self::Seznam => "seznam",
            Self::Mojeek => "mojeek",
            Self::Yahoo => "yahoo",
        }
    }

    /// The domains that the names of its machines end in; empty for one that is known by published ranges alone.
    pub const fn domains(self) -> &'static [&'static str] {
        match self {
            Self::Google => &["googlebot.com", "google.com"],
            Self::Bing => &["search.msn.com"],
            Self::Apple => &["applebot.apple.com"],
            Self::Yandex => &["yandex.ru", "yandex.net", "yandex.com"],
            Self::DuckDuckGo => &[],
            Self::Baidu => &["baidu.com", "baidu.jp"],
            Self::Seznam => &["seznam.cz"],
            Self::Mojeek => &["mojeek.com"],
            Self::Yahoo => &["crawl.yahoo.net"],
        }
    }

    /// What its User-Agents hold, in lower case. Names that other software uses for itself (link previews say
    /// `facebookexternalhit`, say) are not among them.
    const fn marks(self) -> &'static [&'static str] {
        match self {
            Self::Google => &[
                "googlebot",
                "adsbot-google",
                "mediapartners-google",
                "storebot-google",
                "google-inspectiontool",
            ],
            Self::Bing => &["bingbot", "adidxbot", "bingpreview"],
            Self::Apple => &["applebot"],
            Self::Yandex => &["yandexbot", "yandeximages", "yandexmobilebot"],
            Self::DuckDuckGo => &["duckduckbot"],
            Self::Baidu => &["baiduspider"],
            Self::Seznam => &["seznambot"],
            Self::Mojeek => &["mojeekbot"],
            Self::Yahoo => &["yahoo! slurp"],
        }
    }

    /// The crawler that a client with this User-Agent says to be; of several the first.
    pub fn claimed_by(user_agent: &[u8]) -> Option<Self> {
        let marks = &*MARKS;
        let found = marks.search.find_overlapping_iter(user_agent);
        found.filter_map(|mark| marks.crawlers.get(mark.pattern().as_usize()).copied()).min()
    }
}

/// What User-Agents are searched for: those of all offences are.
struct Marks {
    search: AhoCorasick,
    /// Whose each pattern is.
    crawlers: Vec<Crawler>,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let all = || {
        Crawler::ALL.into_iter().flat_map(|crawler| crawler.marks().iter().map(move |mark| (crawler, mark)))
    };
    let search = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(all().map(|(_, mark)| mark))
        .expect("a few short words make a small automaton");
    Marks { search, crawlers: all().map(|(crawler, _)| crawler).collect() }
});

impl fmt::Display for Crawler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Crawler {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|crawler| crawler.as_str() == text).ok_or(())
    }
}

/// An address, and the crawler that its User-Agent says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// Who.
    pub address: Address,
    /// What it says to be.
    pub crawler: Crawler,
}

/// What came of looking into a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is true: by this host name, or this published range.
    Confirmed(Arc<str>),
    /// It is not.
    Refuted,
    /// Nobody could say: a time-out, a server that failed. It is no "no".
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::Crawler;

    #[test]
    fn a_client_says_in_its_user_agent_which_crawler_it_is() {
        for (agent, crawler) in [
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                Some(Crawler::Google),
            ),
            ("AdsBot-Google (+http://www.google.com/adsbot.html)", Some(Crawler::Google)),
            ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", Some(Crawler::Bing)),
            ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", Some(Crawler::Yandex)),
            (
                "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
                Some(Crawler::Yahoo),
            ),
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120 YaBrowser/24", None),
            ("bingbot is no Googlebot", Some(Crawler::Google)),
            ("facebookexternalhit/1.1 Facebot Twitterbot/1.0", None),
            ("", None),
        ] {
            assert_eq!(Crawler::claimed_by(agent.as_bytes()), crawler, "{agent}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for crawler in Crawler::ALL {
            assert_eq!(crawler.as_str().parse(), Ok(crawler));
        }
        assert_eq!("Google".parse::<Crawler>(), Err(()));
    }
}

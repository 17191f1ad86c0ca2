//! Brokers' URLs and nodes' names, with what people and others write there.

use pairgate::notify::mqtt::{AddressError, Broker, Topics};
use proptest::prelude::*;

fn broker(url: &str) -> Result<Broker, AddressError> {
    url.parse()
}

#[test]
fn urls_say_where_the_broker_is() {
    for (url, address, prefix) in [
        ("mqtt://broker", "broker:1883", "pairgate"),
        ("MQTT://broker/", "broker:1883", "pairgate"),
        ("mqtt://10.0.0.7:1884", "10.0.0.7:1884", "pairgate"),
        ("mqtt://[::1]:65535/a/b/", "[::1]:65535", "a/b"),
        ("mqtt://[fe80::1]", "[fe80::1]:1883", "pairgate"),
        ("mqtt://user@my_host.local/site%201", "my_host.local:1883", "site 1"),
        ("mqtt://user:p%40ss%2F%3a%23@host:1/x", "host:1", "x"),
        ("mqtt://user:with@sign@host", "host:1883", "pairgate"),
    ] {
        let broker = broker(url).unwrap_or_else(|e| panic!("{url}: {e}"));
        assert_eq!((broker.to_string().as_str(), broker.prefix()), (address, prefix), "{url}");
    }
}

#[cfg(feature = "mqtts")]
#[test]
fn tls_has_a_port_of_its_own() {
    let secure = broker("MQTTS://user@broker/site").unwrap();
    assert!(secure.is_secure() && secure.to_string() == "broker:8883");
    assert_eq!(broker("mqtts://10.0.0.7:1884").unwrap().to_string(), "10.0.0.7:1884");
    assert!(!broker("mqtt://broker").unwrap().is_secure());
}

#[test]
fn urls_that_cannot_be_used_say_why() {
    use AddressError::*;
    let long = format!("mqtt://{}", "h".repeat(5000));
    let long_prefix = format!("mqtt://host/{}", "p".repeat(300));
    for (url, wanted) in [
        ("", Scheme),
        ("broker:1883", Scheme),
        ("http://broker", Scheme),
        ("mqtt:/broker", Scheme),
        ("ssl://broker", Transport),
        ("wss://broker/mqtt", Transport),
        ("mqtt://", Host),
        ("mqtt:///prefix", Host),
        ("mqtt://:1883", Host),
        ("mqtt://@:1883", Host),
        ("mqtt://::1", Host),
        ("mqtt://[::1", Host),
        ("mqtt://[::1]x", Host),
        ("mqtt://[broker]", Host),
        ("mqtt://a,b", Host),
        ("mqtt://a%00b", Host),
        ("mqtt://host:", Port),
        ("mqtt://host:0", Port),
        ("mqtt://host:65536", Port),
        ("mqtt://host:+80", Port),
        ("mqtt://host:-1", Port),
        ("mqtt://host:18 83", Character(' ')),
        ("mqtt://host:1883:1884", Port),
        ("mqtt://user:pass/word@host", Port),
        ("mqtt://:password@host", User),
        ("mqtt://@host", User),
        ("mqtt://user:p%4@host", Escape),
        ("mqtt://user:%@host", Escape),
        ("mqtt://user:%zz@host", Escape),
        ("mqtt://user:%+1@host", Escape),
        ("mqtt://user:%€@host", Escape),
        ("mqtt://user:%ff@host", Escape),
        ("mqtt://user:%00@host", Escape),
        ("mqtt://host/a?client_id=1", Character('?')),
        ("mqtt://host/#", Character('#')),
        ("mqtt://host/a\0b", Character('\0')),
        ("mqtt://host/a\nb", Character('\n')),
        ("mqtt://host/+/a", Prefix),
        ("mqtt://host/%23", Prefix),
        ("mqtt://host//", Prefix),
        ("mqtt://host/a//b", Prefix),
        ("mqtt://host/$SYS/a", Prefix),
        ("mqtt://host/a%0ab", Prefix),
        (&long, TooLong),
        (&long_prefix, Prefix),
    ] {
        assert_eq!(broker(url).err(), Some(wanted), "{url:?}");
    }
    let of_tls = if cfg!(feature = "mqtts") { SecureHost } else { Plain };
    assert_eq!(broker("mqtts://[::1]").err(), Some(of_tls));
    assert!(broker("mqtt://h/?").unwrap_err().to_string().contains("%3F"));
}

#[test]
fn a_node_is_one_level_of_a_topic() {
    let broker = broker("mqtt://host/farm/north").unwrap();
    let topics = Topics::new(&broker, "barn 7").unwrap();
    assert_eq!(topics.status, "farm/north/barn 7/status");
    assert_eq!(topics.counters, "farm/north/barn 7/counters");
    assert_eq!(topics.kept, "farm/north/barn 7/kept");
    for node in ["", "a/b", "+", "a#", "a\0", "a\nb", &"n".repeat(257)] {
        assert_eq!(Topics::new(&broker, node), Err(AddressError::Node), "{node:?}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let shown = broker("mqtt://user:s3cret@host/x").unwrap();
    assert!(!format!("{shown} {shown:?}").contains("s3cret"));
    for url in ["mqtt://user:s3cret/@host", "mqtt://user:s3cret%@host", "wss://u:s3cret@host"] {
        let error = broker(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{url}");
    }
}

#[test]
fn a_password_from_elsewhere_does_not_replace_the_urls_own() {
    let with = |url: &str| broker(url).unwrap().or_password("other");
    assert_eq!(with("mqtt://user@host"), broker("mqtt://user:other@host").unwrap());
    assert_eq!(with("mqtt://user:own@host"), broker("mqtt://user:own@host").unwrap());
    assert_eq!(with("mqtt://host"), broker("mqtt://host").unwrap());
}

proptest! {
    #[test]
    fn any_text_is_an_address_or_an_error(text in "(mqtt://)?\\PC*", node in any::<String>()) {
        if let Ok(broker) = broker(&text) {
            let (host, port) = broker.to_string().rsplit_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())).unwrap();
            prop_assert!(!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
            prop_assert!(!broker.prefix().contains(['+', '#', '\0']));
            if let Ok(topics) = Topics::new(&broker, &node) {
                prop_assert!(!topics.kept.contains(['+', '#', '\0']));
            }
        }
    }
}

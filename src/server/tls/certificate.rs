//! What of a client's certificate says who shows it.

use rustls::pki_types::CertificateDer;

use crate::access::CertificateName;

/// A client's certificate that an authority of ours has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// Its DNS names and URIs, whole.
    pub(crate) names: Box<[CertificateName]>,
    /// The first second since 1970 at which it is no longer good.
    pub(crate) ends: u64,
}

impl ClientCertificate {
    /// Reads it. The handshake has found it good: it is well-formed.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let dns = parsed.valid_dns_names().filter(|name| !name.contains('*'));
        let names = dns.map(CertificateName::dns);
        let names = names.chain(parsed.valid_uri_names().map(CertificateName::uri)).collect();
        Some(Self { names, ends: last_second(certificate)? + 1 })
    }
}

/// The last second since 1970 at which a certificate is good.
pub(super) fn last_second(certificate: &[u8]) -> Option<u64> {
    let (mut certificate, _) = element(certificate, SEQUENCE)?;
    (certificate, _) = element(certificate, SEQUENCE)?;
    if let Some((_version, rest)) = element(certificate, VERSION) {
        certificate = rest;
    }
    for before in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, certificate) = element(certificate, before)?;
    }
    let (validity, _) = element(certificate, SEQUENCE)?;
    let begins = element(validity, UTC_TIME).or_else(|| element(validity, GENERALIZED_TIME));
    time(begins?.1)
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The content of an element of DER that has this tag, and what comes behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0..0x80 => (usize::from(length), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let add = |sum: usize, digit: &u8| Some(sum.checked_mul(256)? + usize::from(*digit));
            (digits.iter().try_fold(0, add)?, rest)
        }
    };
    rest.split_at_checked(length)
}

/// A time in one of its two forms, in seconds since 1970.
fn time(der: &[u8]) -> Option<u64> {
    let (text, century) = match element(der, UTC_TIME) {
        // Two digits of a year are those of 1950 to 2049 (RFC 5280, section 4.1.2.5.1).
        Some((text, _)) => (text, if *text.first()? >= b'5' { "19" } else { "20" }),
        None => (element(der, GENERALIZED_TIME)?.0, ""),
    };
    let text = format!("{century}{}", str::from_utf8(text).ok()?);
    let part = |from: usize, to: usize| text.get(from..to);
    let [year, month, day] = [part(0, 4)?, part(4, 6)?, part(6, 8)?];
    let [hour, minute, second] = [part(8, 10)?, part(10, 12)?, part(12, 14)?];
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let time = humantime::parse_rfc3339(&text).ok()?;
    Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        for (year, month, day, ends) in [
            (1970, 1, 2, 86_400),
            (1999, 12, 31, 946_598_400),
            (2000, 2, 29, 951_782_400),
            (2049, 12, 31, 2_524_521_600),
            (2050, 1, 1, 2_524_608_000),
            (9999, 12, 31, 253_402_214_400),
        ] {
            let certificate = made(|it| {
                it.not_before = date_time_ymd(1960, 1, 1);
                it.not_after = date_time_ymd(year, month, day);
            });
            assert_eq!(last_second(&certificate), Some(ends), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn what_is_cut_off_anywhere_has_no_end() {
        let certificate = made(|it| it.not_after = date_time_ymd(2040, 1, 1));
        assert!(last_second(&certificate).is_some());
        for length in 0..certificate.len() {
            assert_eq!(last_second(&certificate[..length]), None, "{length}");
        }
        assert_eq!(
            last_second(&[0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None
        );
    }

    #[test]
    fn dns_names_and_uris_count_and_nothing_else() {
        let certificate = made(|it| {
            it.not_after = date_time_ymd(2040, 1, 1);
            it.distinguished_name.push(rcgen::DnType::CommonName, "common.example.org");
            it.subject_alt_names = vec![
                SanType::DnsName("Builder.Example.org".try_into().unwrap()),
                SanType::DnsName("*.example.org".try_into().unwrap()),
                SanType::Rfc822Name("mail@example.org".try_into().unwrap()),
                SanType::IpAddress([127, 0, 0, 1].into()),
                SanType::URI("spiffe://example.org/Builder".try_into().unwrap()),
            ];
        });
        let names = [
            CertificateName::dns("builder.example.org"),
            CertificateName::uri("spiffe://example.org/Builder"),
        ];
        let ends = 2_208_988_801;
        assert_eq!(
            ClientCertificate::read(&certificate),
            Some(ClientCertificate { names: names.into(), ends })
        );
    }
}

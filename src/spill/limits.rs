//! How much memory: what people write, what the machine and its container grant, what the process takes up.
//!
//! Only Linux is asked; elsewhere nothing is known, and what is not known is `None`: without a limit given, there is none.

use crate::base::error::{Error, Result};
use std::path::Path;

/// The part of the memory that a run may take when nothing else was said: the rest is for decoding, the system and its file cache.
const DEFAULT_PERCENT: u64 = 70;

/// Bytes from text: `2GiB`, `512MB`, `1.5G`, `4096`, or a part of the memory there is, `50%`.
///
/// `KiB`, `MiB`, `GiB`, `TiB` and the bare letters count in 1,024s; `kB`, `MB`, `GB`, `TB` in 1,000s. Case does not matter.
///
/// # Errors
/// When it is not a size, is zero, or is a percentage and the memory there is cannot be found out.
pub fn parse_size(text: &str) -> Result<u64> {
    parse_size_of(text, available())
}

fn parse_size_of(text: &str, available: Option<u64>) -> Result<u64> {
    let fail = |why: &str| Err(Error::usage(format!("\"{text}\" is not a size: {why}")).help("write a size as 2GiB, 512MB, 1.5G or 50%"));
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let Ok(number) = number.parse::<f64>() else { return fail("it does not begin with a number") };
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "%" if number > 100.0 => return fail("there is no more than 100 %"),
        "%" => match available {
            Some(bytes) => bytes as f64 / 100.0,
            None => return fail("how much memory there is cannot be found out here"),
        },
        _ => return fail("its unit is none of B, KiB, MiB, GiB, TiB, kB, MB, GB, TB and %"),
    };
    // Exact up to 2⁵³ bytes.
    let bytes = (number * scale) as u64;
    if bytes == 0 { fail("it is zero") } else { Ok(bytes) }
}

/// The limit when none is given: 70 % of the memory there is; `None`, no limit, where that is not known.
pub fn default_limit() -> Option<u64> {
    available().map(|bytes| bytes / 100 * DEFAULT_PERCENT)
}

/// The memory there is for this process: the machine's, or its container's or its own limit of addresses if that is less.
pub fn available() -> Option<u64> {
    let machine = field(&read("/proc/meminfo")?, "MemTotal:");
    let groups = cgroup_limit(&read("/proc/self/cgroup").unwrap_or_default(), Path::new("/sys/fs/cgroup"));
    machine.into_iter().chain(groups).chain(address_limit()).min()
}

/// The bytes of addresses that this process may have, as `ulimit -v` sets it, if there is a limit: of that a request for memory may be refused.
pub fn address_limit() -> Option<u64> {
    soft_limit(&read("/proc/self/limits")?, "Max address space")
}

/// The limit that holds, of a line of the process's limits: its name, that limit, the one that it may be raised to, a unit.
fn soft_limit(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The bytes of memory this process takes up now.
pub fn rss() -> Option<u64> {
    field(&read("/proc/self/status")?, "VmRSS:")
}

/// The most bytes of memory this process ever took up.
pub fn peak_rss() -> Option<u64> {
    field(&read("/proc/self/status")?, "VmHWM:")
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The bytes of a line such as `MemTotal:  24588372 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The least limit of the process's control groups and all above them. `groups` is what the kernel says of the process: lines of
/// `id:controllers:path`, where version 2 has no controllers. Inside a container the path may be of outside; the root then is the group.
fn cgroup_limit(groups: &str, root: &Path) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|c| c == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        let path = path.trim_start_matches('/');
        for group in Path::new(path).ancestors() {
            // No limit is the word "max", or in version 1 a number beyond any machine's memory.
            let limit = read(root.join(group).join(file)).and_then(|text| text.trim().parse::<u64>().ok());
            least = least.into_iter().chain(limit).min();
        }
    }
    least
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let good = [
            ("1", 1),
            ("4096 B", 4096),
            ("64MiB", 64 << 20),
            ("2GiB", 2 << 30),
            ("512MB", 512_000_000),
            ("1.5G", 3 << 29),
            (" 10 k ", 10 << 10),
            ("3kb", 3_000),
            ("0.5TiB", 1 << 39),
            ("50%", 500),
            ("100%", 1_000),
        ];
        for (text, bytes) in good {
            assert_eq!(parse_size_of(text, Some(1_000)).unwrap(), bytes, "{text}");
        }
        for text in ["", "GiB", "-1G", "1..5G", "1e9", "2 XB", "0", "0.1", "101%", "NaN", "1,5G", "½G"] {
            let error = parse_size_of(text, Some(1_000)).unwrap_err();
            assert!(error.to_string().starts_with(&format!("\"{text}\" is not a size: ")), "{error}");
        }
        assert!(parse_size_of("50%", None).is_err());
    }

    #[test]
    fn the_least_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(cgroup_limit("0::/a/b\n", root.path()), None);
        put("memory.max", "max\n");
        put("a/memory.max", "5000\n");
        put("a/b/memory.max", "max\n");
        assert_eq!(cgroup_limit("0::/a/b\n", root.path()), Some(5000));
        assert_eq!(cgroup_limit("0::/elsewhere\n", root.path()), None);
        put("memory/memory.limit_in_bytes", "9223372036854771712\n");
        put("memory/x/memory.limit_in_bytes", "3000\n");
        assert_eq!(cgroup_limit("7:cpu,memory:/x\n3:cpuset:/a\n0::/a/b\n", root.path()), Some(3000));
        assert_eq!(cgroup_limit("nonsense\n1:2\n", root.path()), None);
    }

    #[test]
    fn a_limit_of_addresses_counts() {
        let text = |limit: &str| {
            format!("Limit  Soft Limit  Hard Limit  Units\nMax address space         {limit}            unlimited     bytes\n")
        };
        assert_eq!(soft_limit(&text("1073741824"), "Max address space"), Some(1 << 30));
        assert_eq!(soft_limit(&text("unlimited"), "Max address space"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_says_how_much_there_is() {
        let (available, now, peak) = (available().unwrap(), rss().unwrap(), peak_rss().unwrap());
        assert!(now > 1 << 20 && peak >= now / 2 && available > 1 << 20, "{available} {now} {peak}");
        assert!(default_limit().unwrap() < available);
    }
}

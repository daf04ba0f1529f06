//! The configuration of a daemon that guards a real nginx and a real Apache.

use std::path::PathBuf;

use super::{Apache, Nginx, Place};

/// Three failed log-ins ban; the proxies on loopback are trusted. `jail` are further lines of the jail.
pub(crate) fn guarding(place: &Place, nginx: &Nginx, apache: &Apache, jail: &str) -> PathBuf {
    let state = place.dir("state");
    let text = format!(
        r#"
[daemon]
state = "{state}"
socket = "{state}/banmap.sock"
[real_ip]
trusted_proxies = ["127.0.0.1"]
[filter.login]
rule = [{{ method = "POST", path = '^/wp-login\.php$', status = [200, 403, 444] }}]
[jail.login]
maxretry = 3
{jail}
[source.nginx]
path = "{nginx_log}"
read = "beginning"
[source.apache]
path = "{apache_log}"
read = "beginning"
[output.nginx]
kind = "nginx-geo"
path = "{geo}"
min_interval = "50ms"
validate = {check:?}
reload = {{ pid_file = "{pid_file}", signal = "HUP" }}
error_log = "{error_log}"
[output.apache]
kind = "apache-rewritemap"
path = "{map}"
"#,
        state = state.display(),
        nginx_log = nginx.access_log().display(),
        apache_log = apache.access_log().display(),
        geo = nginx.geo().display(),
        check = nginx.check_command(),
        pid_file = nginx.pid_file().display(),
        error_log = nginx.error_log().display(),
        map = apache.map().display(),
    );
    place.write("banmap.toml", &text)
}

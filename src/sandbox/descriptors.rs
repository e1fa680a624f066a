//! Descriptors that another program has left open: a connection would be one whatever else is
//! refused.

/// Closes what this process was given beside its three streams. To be called first of all: what the
/// program itself has opened by then would be closed under it.
pub fn close_inherited() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: nobody holds a descriptor yet, as the contract says. The call takes three
        // integers.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
        if closed == 0 {
            return;
        }
    }
    #[cfg(unix)]
    close_one_by_one();
}

/// For systems without one call for all (Linux before 5.9, macOS).
#[cfg(unix)]
fn close_one_by_one() {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let numbers: Vec<libc::c_int> =
        names.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|it| *it > 2) {
        // SAFETY: nobody holds a descriptor yet. The one of the folder is closed already, which is
        // an error without effect.
        unsafe { libc::close(number) };
    }
}

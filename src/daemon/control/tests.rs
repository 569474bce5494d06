//! The socket as both sides find it, and what travels by it.
#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn both_sides_find_the_socket_however_long_the_path_is() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a".repeat(90)).join("b".repeat(90));
    fs::create_dir_all(&deep).unwrap();
    for name in ["state.db", &"s".repeat(30), &"s".repeat(36), &"s".repeat(240)] {
        for folder in [dir.path(), &deep] {
            let state = folder.join(name);
            let listener = make(&socket_of(&state)).unwrap();
            connect(&state).unwrap();
            drop(listener);
            assert!(connect(&state).is_err(), "nobody listens any more: {name}");
            // One that is left behind is replaced.
            drop(make(&socket_of(&state)).unwrap());
            assert_eq!(fs::metadata(socket_of(&state)).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(
                fs::read_dir(folder)
                    .unwrap()
                    .filter(|found| found.as_ref().unwrap().path().extension().is_some_and(|it| it == "new"))
                    .count(),
                0
            );
            fs::remove_file(socket_of(&state)).unwrap();
        }
    }
    assert_eq!(socket_of(Path::new("/x/state.db")), Path::new("/x/state.db.sock"));
}

#[test]
fn while_it_is_made_nobody_else_can_reach_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db.sock");
    let folder = path.with_extension("sock.new");
    // Left behind by a daemon that was killed in that moment, and open to all.
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    let watch = std::thread::spawn({
        let path = path.clone();
        move || {
            loop {
                let open = |path: &Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
                let (inside, made) = (folder.join("s").exists(), path.exists());
                assert!(!(inside && open(&folder)), "anybody could have gone in");
                assert!(!open(&path), "anybody could have connected");
                if made {
                    return;
                }
            }
        }
    });
    let _listener = make(&path).unwrap();
    watch.join().unwrap();
}

#[test]
fn an_order_travels_in_one_line() {
    let order = Order::Sync(SyncOrder { paths: vec!["a%0Ab".to_owned()], max_wait: 5, ..SyncOrder::default() });
    let line = serde_json::to_string(&Letter { protocol: PROTOCOL, order: order.clone() }).unwrap();
    assert!(!line.contains('\n'));
    assert_eq!(read(line.as_bytes()), Ok(order));
    let newer = format!(r#"{{"protocol":{},"order":{{"dance":1}}}}"#, PROTOCOL + 1);
    assert!(read(newer.as_bytes()).unwrap_err().contains("takes other orders"));
    assert!(read(b"[").unwrap_err().contains("no order"));
}

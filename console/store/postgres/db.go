package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"baton"
	"baton/console/store/internal/engine"
)

// Config defines which database to open.
type Config struct {
	URL         baton.Secret // postgres://user:password@host/database?sslmode=verify-full
	Connections int          // maximum, in addition to one that listens; 0: 10
	Now         time.Time    // stored with the migrations that are applied
	// CallersClock compares leases with the caller's time instead of the database's clock. Replicas
	// have different clocks, so this is only for tests.
	CallersClock bool
}

// DB is one PostgreSQL database.
type DB struct {
	pool         *pgxpool.Pool
	callersClock bool
	commitTime   time.Duration // limits the wait for a COMMIT after the caller has given up
	watchers     engine.Watchers
	listen       sync.Once
	ctx          context.Context // ends with Close
	stop         context.CancelFunc
	listening    sync.WaitGroup

	sender  string // prefix of the notifications of this process
	senders sync.WaitGroup
	mu      sync.Mutex
	unsent  []string // topics for other processes
	sending bool
	closed  bool
}

var _ engine.DB = (*DB)(nil)

// minVersion is the oldest supported version of PostgreSQL.
const minVersion = 140000

// OpenDB opens a database and brings its schema up to date.
func OpenDB(ctx context.Context, c Config) (*DB, error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	return openDB(ctx, c, all)
}

func openDB(ctx context.Context, c Config, all []engine.Migration) (*DB, error) {
	config, err := pgxpool.ParseConfig(c.URL.Reveal())
	if err != nil {
		// The error may contain the address, and so the password.
		return nil, baton.Errorf(baton.Invalid, "store: the database's address cannot be read").
			WithFix("Write it as postgres://user:password@host:port/database.")
	}
	config.MaxConns = 10
	if c.Connections > 0 {
		config.MaxConns = int32(c.Connections)
	}
	config.ConnConfig.RuntimeParams["application_name"] = "baton-console"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, classify(err, "open the database")
	}
	db := &DB{pool: pool, callersClock: c.CallersClock, commitTime: 30 * time.Second, sender: fmt.Sprintf("%016x ", rand.Uint64())}
	db.ctx, db.stop = context.WithCancel(context.Background())
	if err := db.open(ctx, c, all); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, c Config, all []engine.Migration) error {
	var version int64
	err := db.Read(ctx, func(tx engine.Tx) error {
		return tx.Query(func(r engine.Row) error {
			version = r.Int(0)
			return nil
		}, "SELECT current_setting('server_version_num')::bigint")
	})
	if err != nil {
		return err
	}
	if version < minVersion {
		return baton.Errorf(baton.Unsupported, "store: the database is PostgreSQL %d.%d", version/10000, version%10000).WithFix("Use PostgreSQL %d or newer.", minVersion/10000)
	}
	return engine.Migrate(ctx, db, all, c.Now, migrationTable, script)
}

// Name implements [engine.DB].
func (db *DB) Name() string { return "postgres" }

// Close closes the database after the transactions that run.
func (db *DB) Close() error {
	db.mu.Lock()
	db.closed = true // after the notifications are sent
	db.mu.Unlock()
	db.senders.Wait()
	db.stop()
	db.listening.Wait()
	db.pool.Close()
	return nil
}

// Read implements [engine.DB].
func (db *DB) Read(ctx context.Context, fn func(engine.Tx) error) error {
	return db.inTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

// maxTries is how often a transaction is run after the database aborted it because of another one.
const maxTries = 20

// Write implements [engine.DB]. Each statement sees what was committed before it, so after locking a
// row it sees the writes of the last holder.
func (db *DB) Write(ctx context.Context, fn func(engine.Tx) error) error {
	for try := 1; ; try++ {
		err := db.inTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, fn)
		if try == maxTries || !conflict(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(try) * int64(5*time.Millisecond)))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// conflict reports whether a transaction was aborted because of another one.
func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

func (db *DB) inTx(ctx context.Context, options pgx.TxOptions, fn func(engine.Tx) error) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return ctxOr(ctx, classify(err, "connect to the database"))
	}
	defer conn.Release()
	t, err := conn.BeginTx(ctx, options)
	if err != nil {
		return ctxOr(ctx, classify(err, "begin"))
	}
	// The result of a COMMIT must be known even if the caller gives up. Its time begins when fn has ended.
	end := func(how func(context.Context) error) error {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.commitTime)
		defer cancel()
		return how(last)
	}
	done := false
	defer func() {
		if !done { // an error or a panic
			end(t.Rollback) // the pool discards a failed connection
		}
	}()
	if err := fn(&tx{ctx: ctx, conn: conn.Conn(), callersClock: db.callersClock}); err != nil {
		return ctxOr(ctx, err)
	}
	done = true
	return classify(end(t.Commit), "commit")
}

// ctxOr returns the context's error for an error that it caused.
func ctxOr(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || baton.KindOf(err) == baton.Unavailable) {
		return ctx.Err()
	}
	return err
}

// Analyze implements [engine.DB]. It skips tables that a vacuum locks, because it must not wait.
func (db *DB) Analyze(ctx context.Context, tables ...string) error {
	_, err := db.pool.Exec(ctx, "ANALYZE (SKIP_LOCKED) "+strings.Join(tables, ", "))
	return ctxOr(ctx, classify(err, "analyze"))
}

// channel carries the topics of wake-ups.
const channel = "baton_console"

// Wake implements [engine.DB]. It wakes the watchers of this process at once. Notifications for
// other processes are merged and sent in the background, because one for each command would cost as
// much as the command.
func (db *DB) Wake(topics ...string) {
	if len(topics) == 0 {
		return
	}
	db.watchers.Wake(topics...)
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, t := range topics {
		if !slices.Contains(db.unsent, t) {
			db.unsent = append(db.unsent, t)
		}
	}
	if !db.sending && !db.closed {
		db.sending = true
		db.senders.Go(db.send)
	}
}

// send notifies other processes until there is nothing to send.
func (db *DB) send() {
	for {
		db.mu.Lock()
		topics := db.unsent
		db.unsent = nil
		db.sending = len(topics) > 0
		db.mu.Unlock()
		if len(topics) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		// Errors are ignored, because watchers also poll.
		db.pool.Exec(ctx, "SELECT pg_notify($1, $2 || topic) FROM unnest($3::text[]) AS topic", channel, db.sender, topics)
		cancel()
	}
}

// Watch implements [engine.DB].
func (db *DB) Watch(topic string) (<-chan struct{}, func()) {
	c, stop := db.watchers.Watch(topic)
	db.listen.Do(func() { db.listening.Go(db.receive) })
	return c, stop
}

// receive passes notifications to the watchers until the database is closed.
func (db *DB) receive() {
	for wait := time.Second; db.ctx.Err() == nil; wait = min(2*wait, 30*time.Second) {
		if db.receiveOn() {
			wait = time.Second
		}
		select {
		case <-time.After(wait):
		case <-db.ctx.Done():
		}
	}
}

// receiveOn listens on one connection until it fails.
func (db *DB) receiveOn() (connected bool) {
	conn, err := pgx.ConnectConfig(db.ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(db.ctx))
	if _, err := conn.Exec(db.ctx, "LISTEN "+channel); err != nil {
		return false
	}
	db.watchers.WakeAll() // earlier notifications are lost
	for {
		n, err := conn.WaitForNotification(db.ctx)
		if err != nil {
			return true
		}
		if topic, own := strings.CutPrefix(n.Payload, db.sender); !own {
			_, topic, _ = strings.Cut(topic, " ")
			db.watchers.Wake(topic)
		}
	}
}

const noAnswer = "The database does not answer for now."

// classify converts an error of PostgreSQL or of the connection to a kind.
func classify(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := "store: " + fmt.Sprintf(format, args...)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%s: %w", what, err)
		}
		return baton.Errorf(baton.Unavailable, "%s: %w", what, &engine.Away{Says: noAnswer, Cause: err})
	}
	switch {
	case pg.Code == "25006": // a transaction that only reads: in a failover, or by the administrator's will
		return baton.Errorf(baton.Unavailable, "%s: %w", what, &engine.Away{Says: "The database takes no changes for now.", Cause: err})
	case pg.Code == "23505":
		return fmt.Errorf("%s: %w: %w", what, engine.ErrUnique, err)
	case conflict(err):
		return baton.Errorf(baton.Unavailable, "%s: other transactions were in the way: %w", what, err)
	case strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "58"): // disk, memory, connections, files
		return baton.Errorf(baton.Storage, "%s: %w", what, &engine.Away{Says: "The database has no space, memory or connections left.", Cause: err})
	case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "57P"): // connection, shutdown
		return baton.Errorf(baton.Unavailable, "%s: %w", what, &engine.Away{Says: noAnswer, Cause: err})
	case strings.HasPrefix(pg.Code, "28"), pg.Code == "3D000", pg.Code == "42501":
		return baton.Errorf(baton.Refused, "%s: %w", what, err).WithFix("Check user, password, database and rights.")
	case strings.HasPrefix(pg.Code, "XX"):
		return baton.Errorf(baton.Corrupt, "%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

package sqlite

import (
	"context"
	"errors"
	"time"

	"hongyan"
	"hongyan/store"
)

var errWIP = errors.ErrUnsupported

func (s *Store) IssuedToken(ctx context.Context, hash []byte) (hongyan.IssuedToken, error) {
	return hongyan.IssuedToken{}, errWIP
}
func (s *Store) LeaseRefresh(ctx context.Context, appID, holder string, d time.Duration) (bool, error) {
	return false, errWIP
}
func (s *Store) ReleaseRefresh(ctx context.Context, appID, holder string) error { return errWIP }
func (s *Store) NoteTokenCallers(ctx context.Context, asked []hongyan.TokenCaller) error {
	return errWIP
}
func (s *Store) TokenCallers(ctx context.Context, appID string) ([]hongyan.TokenCaller, error) {
	return nil, errWIP
}
func (s *Store) AppendAudit(ctx context.Context, entries []hongyan.AuditEntry) error { return errWIP }
func (s *Store) AuditLog(ctx context.Context, f store.AuditFilter) ([]hongyan.AuditEntry, error) {
	return nil, errWIP
}
func (s *Store) AnswerMsgID(ctx context.Context, id string) (hongyan.Message, error) {
	return hongyan.Message{}, errWIP
}
func (s *Store) HandedOnMsgID(ctx context.Context, appID string, msgID int64, toUser string) (own int64, open bool, err error) {
	return 0, false, errWIP
}
func (s *Store) AddUsage(ctx context.Context, deltas []store.UsageDelta) error { return errWIP }
func (s *Store) DueTargets(ctx context.Context) ([]store.TargetDue, error)     { return nil, errWIP }
func (s *Store) ClaimDeliveries(ctx context.Context, c store.DeliveryClaim) ([]store.ClaimedDelivery, error) {
	return nil, errWIP
}
func (s *Store) FinishDeliveries(ctx context.Context, rs []store.DeliveryResult) error { return errWIP }
func (s *Store) AnswerDelivery(ctx context.Context, d hongyan.Delivery) error          { return errWIP }
func (s *Store) ReplayDeliveries(ctx context.Context, r store.Replay) (n int, last int64, err error) {
	return 0, 0, errWIP
}
func (s *Store) DropDeliveries(ctx context.Context, target string, limit int) (int, error) {
	return 0, errWIP
}
func (s *Store) ListDeliveries(ctx context.Context, f store.DeliveryFilter) ([]hongyan.Delivery, error) {
	return nil, errWIP
}
func (s *Store) DeliveryCounts(ctx context.Context, appID string) (map[string]store.DeliveryCount, error) {
	return nil, errWIP
}

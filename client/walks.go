package client

import (
	"context"
	"iter"
)

// Walks through lists whose pages are read in the files of their nouns. Each reads a page
// when the one before it is used up, and ends after an error.

// AllBatches walks through every page of batches, newest first.
func (c *Client) AllBatches(ctx context.Context, f BatchFilter) iter.Seq2[Batch, error] {
	return pages("list batches", f.Cursor, func(cursor string) (List[Batch], error) {
		f.Cursor = cursor
		return c.Batches(ctx, f)
	})
}

// AllBatchProblems walks through everything that is wrong with a batch's rows, in
// their order.
func (c *Client) AllBatchProblems(ctx context.Context, id string) iter.Seq2[BatchProblem, error] {
	return pages("list problems of batch", "", func(cursor string) (List[BatchProblem], error) {
		return c.BatchProblems(ctx, id, cursor, 1000)
	})
}

// AllConsents walks through what is known of consents, newest first.
func (c *Client) AllConsents(ctx context.Context, appID string, f ListFilter) iter.Seq2[Consent, error] {
	return pages("list consents", f.Cursor, func(cursor string) (List[Consent], error) {
		f.Cursor = cursor
		return c.Consents(ctx, appID, f)
	})
}

// AllFormIDs walks through form_ids, newest first.
func (c *Client) AllFormIDs(ctx context.Context, appID string, f ListFilter) iter.Seq2[FormID, error] {
	return pages("list form_ids", f.Cursor, func(cursor string) (List[FormID], error) {
		f.Cursor = cursor
		page, err := c.FormIDs(ctx, appID, f)
		return List[FormID]{Items: page.Items, NextCursor: page.NextCursor}, err
	})
}

// AllPushes walks through what WeChat pushed, newest first.
func (c *Client) AllPushes(ctx context.Context, f PushFilter) iter.Seq2[Push, error] {
	return pages("list pushes", f.Cursor, func(cursor string) (List[Push], error) {
		f.Cursor = cursor
		return c.Pushes(ctx, f)
	})
}

// AllEvents walks through the log of events: newest first, or with After oldest first. To
// hear what happens from now on, see StreamEvents.
func (c *Client) AllEvents(ctx context.Context, f EventFilter) iter.Seq2[Event, error] {
	return pages("list events", f.Cursor, func(cursor string) (List[Event], error) {
		f.Cursor = cursor
		page, err := c.Events(ctx, f)
		return List[Event]{Items: page.Items, NextCursor: page.NextCursor}, err
	})
}

// AllWebhookDeliveries walks through an endpoint's deliveries, newest first.
func (c *Client) AllWebhookDeliveries(ctx context.Context, id string, f WebhookDeliveryFilter) iter.Seq2[WebhookDelivery, error] {
	return pages("list deliveries", f.Cursor, func(cursor string) (List[WebhookDelivery], error) {
		f.Cursor = cursor
		return c.WebhookDeliveries(ctx, id, f)
	})
}

// AllFirings walks through what set a rule off, newest first.
func (c *Client) AllFirings(ctx context.Context, appID, name string) iter.Seq2[Firing, error] {
	return pages("list firings", "", func(cursor string) (List[Firing], error) {
		return c.Firings(ctx, appID, name, cursor, 1000)
	})
}

// AllSuppressions walks through an account's list of users who get nothing, newest first.
func (c *Client) AllSuppressions(ctx context.Context, appID string, f SuppressionFilter) iter.Seq2[Suppression, error] {
	return pages("list suppressions", f.Cursor, func(cursor string) (List[Suppression], error) {
		f.Cursor = cursor
		return c.Suppressions(ctx, appID, f)
	})
}
